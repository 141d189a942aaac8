//! The simulator from the outside: called as Muster calls it, heard as Muster hears it.

mod caller;
mod gateway;
mod inquiries;
mod mischief;
mod receipts;
mod replies;
mod sending;
mod stage;
