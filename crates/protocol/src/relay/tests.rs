//! Stories of relay among peers.

mod bounds;
mod censors;
mod chaos;
mod desk;
mod net;
mod orphans;
mod spread;
mod stories;
mod sync;
