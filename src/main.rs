//! Parse arguments, dispatch, and turn the outcome into an exit status.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use palisade::cli::Cli;
use palisade::exit::Exit;
use palisade_detect::diagnostic::printable;

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
            .map(std::io::Error::kind)
            .or_else(|| {
                // It keeps the error of the writer to itself and has only its kind to show.
                cause.downcast_ref::<serde_json::Error>()?.io_error_kind()
            })
            .is_some_and(|kind| kind == std::io::ErrorKind::BrokenPipe)
    })
}

/// An error and its causes on one line. Paths and file contents are quoted in it, so it must not reach
/// a terminal as it is.
fn chain(error: &anyhow::Error) -> String {
    let causes: Vec<_> = error.chain().map(ToString::to_string).collect();
    printable(&causes.join(": ")).into_owned()
}
