//! Stories: long scenarios over the whole platform, each judged by the simulator's ledger in the end.
//!
//! A story is one function from its options to a report. `cargo story` tells it at full length and prints the
//! report; `cargo test` tells it in a small form. It starts what it needs, and waits for what it wants to see: it
//! never sleeps and hopes.

mod broadcast;
mod claims;
pub mod gateways_rolling;
pub mod kill_main;
pub mod receipts;
pub mod senders_killed;
pub mod senders_rolling;
pub mod senders_scale;
pub mod suspend;

pub use self::gateways_rolling::gateways_rolling;
pub use self::kill_main::kill_main;
pub use self::receipts::receipts;
pub use self::senders_killed::senders_killed;
pub use self::senders_rolling::senders_rolling;
pub use self::senders_scale::senders_scale;
pub use self::suspend::suspend;

/// Where a story says what happens, line by line, while it happens.
pub type Tell<'a> = &'a (dyn Fn(&str) + Send + Sync);
