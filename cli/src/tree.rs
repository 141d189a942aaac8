//! The whole of `muster` as clap has it, and the way from what was typed to what is done.

use clap::{ArgMatches, Args, Command, FromArgMatches as _, Subcommand};

use prost_reflect::MethodDescriptor;

use crate::choose::{self, Choose};
use crate::failure::{Failure, Result};
use crate::generate::{self, Generate};
use crate::nouns;
use crate::place::{Flags, Place};
use crate::session::Session;
use crate::show::Output;
use crate::verb::Noun;

const ABOUT: &str = "Text campaigns on a Muster platform, from the command line";

/// Flags of every command.
#[derive(Args)]
struct Everywhere {
    #[command(flatten)]
    place: Flags,
    /// Results as JSON: one object a line, in the canonical form of protobuf; errors too
    #[arg(long, global = true)]
    json: bool,
}

/// The command with all its commands.
pub(crate) fn command() -> Command {
    let muster =
        Everywhere::augment_args(Command::new("muster")).about(ABOUT).version(env!("CARGO_PKG_VERSION"));
    let muster = muster.subcommand_required(true).arg_required_else_help(true).max_term_width(110);
    let verbs = nouns::verbs().into_iter().map(|verb| verb.command);
    let muster = muster.subcommands(nouns::nouns().iter().map(Noun::command)).subcommands(verbs);
    let context = Choose::augment_subcommands(
        Command::new("context").about("Which platforms there are, and which one is called"),
    );
    let context = context.subcommand_required(true).arg_required_else_help(true);
    Generate::augment_subcommands(muster.subcommand(context))
}

/// Every command that calls the platform, such as `campaigns start`, with the rpcs that it calls.
pub(crate) fn calls() -> Vec<(String, Vec<MethodDescriptor>)> {
    let verbs = nouns::verbs().into_iter().map(|verb| (verb.command.get_name().to_owned(), verb.rpcs));
    let nouns = nouns::nouns().into_iter().flat_map(|noun| {
        let name = noun.name;
        noun.verbs.into_iter().map(move |verb| (format!("{name} {}", verb.command.get_name()), verb.rpcs))
    });
    nouns.chain(verbs).collect()
}

/// Does what was typed.
///
/// # Errors
/// Why it could not be done.
pub(crate) async fn run(matches: &ArgMatches) -> Result<()> {
    let flags = Everywhere::from_arg_matches(matches).map_err(|error| Failure::usage(error.to_string()))?;
    let output = Output::new(flags.json);
    let Some((first, inner)) = matches.subcommand() else { return Ok(()) };
    if first == "context" {
        let choose = Choose::from_arg_matches(inner).map_err(|error| Failure::usage(error.to_string()))?;
        return choose::run(output, &flags.place, choose);
    }
    if let Ok(generate) = Generate::from_arg_matches(matches) {
        return generate::run(output, generate, command());
    }
    let noun = nouns::nouns().into_iter().find(|noun| noun.name == first);
    let (verbs, name, inner) = match (noun, inner.subcommand()) {
        (Some(noun), Some((verb, inner))) => (noun.verbs, verb, inner),
        (Some(_), None) | (None, _) => (nouns::verbs(), first, inner),
    };
    let verb = verbs.into_iter().find(|verb| verb.command.get_name() == name);
    let verb = verb.ok_or_else(|| Failure::usage(format!("there is no command {name}")))?;
    let session = Session::new(Place::find(&flags.place)?)?;
    verb.run(&session, &output, inner).await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{api, hints};

    /// Rpcs that have no command, each with its reason.
    const WITHOUT: [(&str, &str); 1] = [(
        "NumberService.CreatePhoneNumber",
        "`muster numbers add` adds one or a thousand by BatchCreatePhoneNumbers",
    )];

    #[test]
    fn every_rpc_has_a_command_or_a_reason() {
        let called: BTreeSet<_> = calls().iter().flat_map(|(_, rpcs)| rpcs).map(api::spelled).collect();
        let without: BTreeSet<_> = WITHOUT.iter().map(|(rpc, _)| (*rpc).to_owned()).collect();
        let all: BTreeSet<_> = api::rpcs().map(|rpc| api::spelled(&rpc)).collect();
        let both: Vec<_> = called.intersection(&without).collect();
        assert!(both.is_empty(), "these have a command; take them off WITHOUT: {both:?}");
        let spoken_for = &called | &without;
        let missing: Vec<_> = all.difference(&spoken_for).collect();
        assert!(
            missing.is_empty(),
            "these rpcs have no command; give them one in cli/src/nouns, or a reason here: {missing:?}"
        );
        let gone: Vec<_> = without.difference(&all).collect();
        assert!(gone.is_empty(), "there are no such rpcs any more: {gone:?}");
    }

    #[test]
    fn clap_finds_no_fault() {
        command().debug_assert();
    }

    /// A hint, or a word of help, that names a command that is not there is worse than none.
    #[test]
    fn every_command_that_is_spoken_of_is_there() {
        let muster = command();
        for words in hints::all().chain([include_str!("generate/head.md")]) {
            for spoken in words.split('`').skip(1).step_by(2).filter_map(|code| code.strip_prefix("muster "))
            {
                if !spoken.starts_with(|c: char| c.is_ascii_lowercase()) {
                    continue;
                }
                let mut words = spoken.split_whitespace();
                let first = muster.find_subcommand(words.next().unwrap_or_default());
                let inner = first.filter(|first| first.has_subcommands() && first.get_name() != "completion");
                let there = match inner {
                    Some(noun) => words.next().is_none_or(|verb| noun.find_subcommand(verb).is_some()),
                    None => first.is_some(),
                };
                assert!(there, "there is no `muster {spoken}`");
            }
        }
    }
}
