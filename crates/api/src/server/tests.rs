//! Whoever reaches the port may be hostile.

mod bounds;
mod doors;
mod end;
mod hostile;
