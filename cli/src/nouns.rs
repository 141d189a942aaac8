//! All commands that call the platform.

mod accounts;
mod audit;
mod campaigns;
mod conversations;
mod here;
mod keys;
pub(crate) mod lists;
mod members;
mod messages;
mod numbers;
mod roles;
mod routes;
mod tenants;

use crate::verb::{Noun, Verb};
use crate::{import, watch};

/// The nouns, in the order in which somebody begins.
pub(crate) fn nouns() -> Vec<Noun> {
    vec![
        tenants::noun(),
        members::members(),
        members::invitations(),
        roles::noun(),
        keys::noun(),
        accounts::noun(),
        numbers::pools(),
        numbers::numbers(),
        routes::noun(),
        lists::lists(),
        lists::contacts(),
        campaigns::noun(),
        messages::messages(),
        messages::texting(),
        conversations::conversations(),
        conversations::replies(),
        conversations::opt_outs(),
        audit::noun(),
    ]
}

/// Commands that are done so often that they need no noun.
pub(crate) fn verbs() -> Vec<Verb> {
    vec![import::verb(), campaigns::report("report"), watch::verb(), here::whoami(), here::status()]
}
