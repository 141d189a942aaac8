//! The stories of the whole system, on real servers.

mod consent;
mod control;
mod conveyor;
mod discovery;
mod fields;
mod health;
mod hours;
mod imports;
mod journey;
mod logs;
mod outages;
mod processes;
mod projection;
mod providers;
mod receipts;
mod scaling;
mod scene;
mod schema;
mod servers;
mod settings;
mod stories;
mod tenancy;
mod tls;
mod validity;
mod watching;
