//! Wallets in a small town, where blocks are made by hand and every signature is verified.

mod figures;
mod files;
mod following;
mod keys;
mod paying;
mod property;
mod town;
