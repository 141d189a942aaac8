//! The simulator from the outside: called as Muster calls it, heard as Muster hears it.

mod caller;
mod gateway;
mod mischief;
mod receipts;
mod replies;
mod sending;
mod stage;
