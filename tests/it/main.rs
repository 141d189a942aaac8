//! The stories of the whole system, on real servers.

mod consent;
mod control;
mod fields;
mod imports;
mod journey;
mod logs;
mod outages;
mod processes;
mod providers;
mod receipts;
mod scene;
mod schema;
mod servers;
mod stories;
mod tenancy;
