//! The stories of the whole system, on real servers.

mod processes;
mod servers;
