//! The stories of the whole system, on real servers.

mod journey;
mod processes;
mod schema;
mod servers;
