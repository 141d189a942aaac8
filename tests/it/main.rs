//! The stories of the whole system, on real servers.

mod consent;
mod control;
mod conveyor;
mod discovery;
mod fields;
mod health;
mod imports;
mod journey;
mod logs;
mod outages;
mod processes;
mod projection;
mod providers;
mod quotas;
mod receipts;
mod scaling;
mod scene;
mod schema;
mod servers;
mod settings;
mod stories;
mod tenancy;
mod tenants;
mod validity;
mod watching;
