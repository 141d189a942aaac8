//! The control-plane: the only process that opens PostgreSQL. It owns tenants, contact lists, number pools and
//! campaigns; plans and dispatches their messages; grants claims; and projects what happened into the truth.
//!
//! Data goes one way: `rpc` writes what was asked for, `work` loops carry it on, `store` holds every statement.

mod audit;
pub mod config;
pub mod db;
mod hours;
mod import;
mod metrics;
mod nudge;
mod oidc;
mod quota;
mod rate;
mod rpc;
pub mod secrets;
pub mod server;
mod store;
mod work;
