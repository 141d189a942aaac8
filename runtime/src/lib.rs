//! What every service needs and no service should write twice: configuration, telemetry, shutdown, the gRPC
//! server, TLS, NATS, errors, keys, and the only place that reads the clock.

pub mod access;
pub mod batch;
pub mod bus;
pub mod clock;
pub mod config;
pub mod directory;
pub mod egress;
pub mod error;
pub mod frame;
pub mod grpc;
pub mod health;
pub mod key;
pub mod name;
pub mod objects;
pub mod service;
pub mod supervise;
pub mod telemetry;
pub mod tls;
pub mod topology;

pub use error::{Error, Result};
