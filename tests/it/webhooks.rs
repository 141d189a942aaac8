//! Webhooks as providers send them, and as they do not: written by the simulator, changed here, posted by hand.

mod letters;
mod mutations;
mod own;
mod rotation;
mod table;
mod wire;
