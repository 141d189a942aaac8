//! What is made from the commands themselves: shell completion, man pages, and docs/cli.md.

mod reference;

use std::path::PathBuf;

use clap::{Command, Subcommand};
use clap_complete::Shell;

use crate::failure::{Failure, Result};
use crate::show::Output;

#[derive(Subcommand)]
pub(crate) enum Generate {
    /// Write the completion of a shell, such as `muster completion bash > ~/.local/share/bash-completion/completions/muster`
    Completion {
        /// The shell
        shell: Shell,
    },
    /// Write man pages
    Man {
        /// The folder for them
        folder: PathBuf,
    },
    /// Write docs/cli.md
    #[command(hide = true)]
    Reference,
}

/// Makes it.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn run(output: Output, generate: Generate, mut command: Command) -> Result<()> {
    match generate {
        Generate::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "muster", &mut script);
            output.text(String::from_utf8_lossy(&script).trim_end())
        }
        Generate::Man { folder } => {
            let written =
                std::fs::create_dir_all(&folder).and_then(|()| clap_mangen::generate_to(command, &folder));
            written.map_err(|error| Failure::because(&format!("cannot write to {}", folder.display()), error))
        }
        Generate::Reference => output.text(reference::page(command).trim_end()),
    }
}
