//! What a machine can hold of the way this repository is written. Every check reads the files as they lie there,
//! and a failure says where, and what to do.
//!
//! What clippy and buf can hold, they hold: see clippy.toml, the lints in Cargo.toml, and proto/buf.yaml.

mod docs;
mod fault;
mod homes;
mod layers;
mod modules;
mod rust;
mod settings;
mod size;
mod sql;
mod tree;
mod words;
