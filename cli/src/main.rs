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

use crate::failure::{Exit, Failure};

fn main() -> ExitCode {
    let matches = tree::command().get_matches();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => {
            let done = runtime.block_on(tree::run(&matches));
            // Nobody waits for a line that is still to be read from standard input.
            runtime.shutdown_background();
            done
        }
        Err(error) => Err(Failure::because("cannot begin", error)),
    };
    let Err(failure) = done else { return ExitCode::SUCCESS };
    if failure.exit != Exit::Done {
        match matches.get_flag("json") {
            true => eprintln!("{}", failure.json()),
            false => eprintln!("{}", failure.words()),
        }
    }
    failure.exit.into()
}
