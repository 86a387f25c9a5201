//! Parse arguments, dispatch, and turn the outcome into an exit status.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use palisade::cli::Cli;
use palisade::exit::Exit;

fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(exit) => exit.into(),
        // The reader of our output has seen enough (`palisade decode … | head`).
        Err(error) if is_broken_pipe(&error) => Exit::Ok.into(),
        Err(error) => {
            // Nobody is left to tell if standard error is gone, too.
            drop(writeln!(std::io::stderr(), "palisade: {}", chain(&error)));
            Exit::of(&error).into()
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// An error and its causes on one line.
fn chain(error: &anyhow::Error) -> String {
    let causes: Vec<_> = error.chain().map(ToString::to_string).collect();
    causes.join(": ")
}
