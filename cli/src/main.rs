//! `muster`, the command-line client: every rpc that a person needs, by nouns and verbs. docs/cli.md has all commands.
//!
//! It knows the platform by its public API alone.

mod api;
mod choose;
mod codec;
mod contexts;
mod environment;
mod failure;
mod flags;
mod generate;
mod hints;
mod import;
mod lists;
mod live;
mod nouns;
mod place;
mod resource;
mod session;
mod show;
mod tree;
mod verb;
mod watch;

use std::process::ExitCode;

use crate::failure::Exit;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let matches = tree::command().get_matches();
    let Err(failure) = tree::run(&matches).await else { return ExitCode::SUCCESS };
    if failure.exit != Exit::Done {
        match matches.get_flag("json") {
            true => eprintln!("{}", failure.json()),
            false => eprintln!("{}", failure.words()),
        }
    }
    failure.exit.into()
}
