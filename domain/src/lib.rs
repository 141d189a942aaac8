//! The rules of texting, pure: what a phone number is, how many segments a text costs, which word opts
//! a person out, and how a message moves from status to status.
//!
//! Nothing here reads a clock, draws a random number or performs I/O: time and chance are arguments.

pub mod area;
pub mod consent;
pub mod error;
pub mod id;
pub mod permission;
pub mod phone;
pub mod provider;
pub mod status;
pub mod template;
pub mod text;
