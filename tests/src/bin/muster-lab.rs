//! `muster-lab`: the demo and the development stack, each one command.

use std::process::ExitCode;

fn main() -> ExitCode {
    muster_tests::lab::main()
}
