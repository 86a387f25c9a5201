//! The process's own log and its crash settings. No message holds event content.

use std::io::IsTerminal;
use std::panic;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;

/// Form of the log lines on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// For people; coloured on a terminal.
    #[default]
    Pretty,
    /// One JSON object a line, for collectors.
    Json,
}

/// Starts the log on standard error; `filter` is a level, or directives such as
/// `info,palisade=debug`. A second call changes nothing.
///
/// # Errors
/// When the filter cannot be read.
pub fn init(form: Form, filter: &str) -> Result<(), ParseError> {
    let filter = EnvFilter::try_new(filter)?;
    let colour = std::io::stderr().is_terminal();
    subscribe(form, filter, colour, std::io::stderr);
    panic::set_hook(Box::new(|info| {
        // A panic's text may quote what was being judged; its place is enough to find the cause.
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a thread panicked");
    }));
    Ok(())
}

fn subscribe<W>(form: Form, filter: EnvFilter, colour: bool, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    // Failing means that a log stands already, which is as good.
    match form {
        Form::Pretty => builder.with_ansi(colour).with_target(false).try_init().ok(),
        Form::Json => builder.json().flatten_event(true).try_init().ok(),
    };
}

/// Switches core dumps off: memory holds secrets and other people's data.
///
/// # Errors
/// When the system refuses.
pub fn forbid_core_dumps() -> rustix::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_dumps_are_off_after_the_call() {
        forbid_core_dumps().expect("lowering a limit is always allowed");
        let limit = rustix::process::getrlimit(rustix::process::Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_an_error() {
        assert!(init(Form::Json, "palisade=loudest=x").is_err());
    }
}
