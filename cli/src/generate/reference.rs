//! docs/cli.md: what cannot be generated, and then every command with what it takes.

use std::fmt::Write as _;

use clap::{Arg, Command};
use prost_reflect::MethodDescriptor;

use crate::api;
use crate::failure::EXITS;
use crate::tree;

/// What comes before the commands.
const HEAD: &str = include_str!("head.md");

/// The page.
pub(crate) fn page(mut command: Command) -> String {
    command.build();
    let mut page = HEAD.to_owned();
    page.push_str("\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for (exit, meaning) in EXITS {
        let _ = writeln!(page, "| {} | {meaning} |", exit as u8);
    }
    page.push_str(
        "\nCtrl-C ends any command with 130, but `muster watch`, which ends with 0 and says how to go on.\n",
    );
    page.push_str("\n## Flags of every command\n\n");
    flags(&mut page, command.get_arguments().filter(|arg| arg.is_global_set()));
    page.push_str("\n## Commands\n");
    let calls = tree::calls();
    for noun in visible(&command) {
        if noun.has_subcommands() {
            let _ = write!(page, "\n### {}\n\n{}.\n", noun.get_name(), about(noun));
            for verb in visible(noun) {
                write_verb(&mut page, &calls, &format!("{} {}", noun.get_name(), verb.get_name()), verb);
            }
        } else {
            let _ = write!(page, "\n### {}\n", noun.get_name());
            write_verb(&mut page, &calls, noun.get_name(), noun);
        }
    }
    page
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help")
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn write_verb(page: &mut String, calls: &[(String, Vec<MethodDescriptor>)], name: &str, verb: &Command) {
    let own = || {
        verb.get_arguments()
            .filter(|arg| !arg.is_global_set() && !["help", "version"].contains(&arg.get_id().as_str()))
    };
    let positionals = own().filter(|arg| arg.is_positional()).map(|arg| format!(" {arg}"));
    let rpcs = calls.iter().filter(|(command, _)| command == name).flat_map(|(_, rpcs)| rpcs);
    let rpcs: Vec<_> = rpcs.map(|rpc| format!("`{}`", api::spelled(rpc))).collect();
    let rpcs = if rpcs.is_empty() { String::new() } else { format!(" ({})", rpcs.join(", ")) };
    let _ =
        write!(page, "\n**`muster {name}{}`** - {}{rpcs}.\n", positionals.collect::<String>(), about(verb));
    if own().next().is_some() {
        page.push('\n');
        flags(page, own());
    }
}

fn flags<'a>(page: &mut String, args: impl Iterator<Item = &'a Arg>) {
    for arg in args {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let variable =
            arg.get_env().map(|name| format!(" (`{}`)", name.to_string_lossy())).unwrap_or_default();
        let values: Vec<_> =
            arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
        let takes = arg.get_action().takes_values() && !values.is_empty();
        let values = if takes { format!(": {}", values.join(", ")) } else { String::new() };
        let required = if arg.is_required_set() && !arg.is_positional() { " (required)" } else { "" };
        let _ = writeln!(page, "- `{arg}`{variable}{required} {help}{values}");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_is_as_the_commands_are() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli.md");
        let there = std::fs::read_to_string(path).unwrap_or_default();
        let page = super::page(crate::tree::command());
        assert!(
            there == page,
            "docs/cli.md is not as the commands are: cargo run -p muster-cli -- reference > docs/cli.md"
        );
    }
}
