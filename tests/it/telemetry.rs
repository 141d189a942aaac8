//! What processes tell of themselves: metrics that are what docs/telemetry.md says, traces that follow a text through all
//! three services, and nothing that a collector could hold up.

mod metrics;
mod operators;
mod traces;
