//! What the process says to whoever started it: one exit status for every end.

use std::fmt;
use std::process::ExitCode;

/// Exit statuses. 73 to 75 follow `sysexits.h` in spirit: a supervisor can tell a state that needs an
/// operator from a crash that a restart heals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: everything asked for was done.
    Ok,
    /// 1: the command worked and found problems (rejects, rules that do not load), or failed.
    Problems,
    /// 2: the command line or the configuration cannot be used.
    Usage,
    /// 73: the state contradicts itself or what it is used with; an operator must decide.
    StateConflict,
    /// 74: part of the state is missing or damaged; an operator must decide.
    StateGap,
    /// 75: another process holds the state directory, or has taken it over.
    Held,
}

impl Exit {
    /// The number the process ends with.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Problems => 1,
            Self::Usage => 2,
            Self::StateConflict => 73,
            Self::StateGap => 74,
            Self::Held => 75,
        }
    }

    /// The status an error asks for: the `Exit` among its contexts, else [`Exit::Problems`].
    ///
    /// Whoever knows the status of a failure says so with `error.context(Exit::Held)`.
    pub fn of(error: &anyhow::Error) -> Self {
        error
            .downcast_ref::<Self>()
            .copied()
            .unwrap_or(Self::Problems)
    }
}

/// What the status means, as the outermost line of an error.
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "done",
            Self::Problems => "there were problems",
            Self::Usage => "the command line or the configuration cannot be used",
            Self::StateConflict => "the state does not fit this configuration",
            Self::StateGap => "part of the state is missing or damaged",
            Self::Held => "the state directory is held by another process",
        })
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_names_its_status_by_context_at_any_depth() {
        let error = anyhow::anyhow!("pid 17")
            .context(Exit::Held)
            .context("cannot start");
        assert_eq!(Exit::of(&error), Exit::Held);
        assert_eq!(Exit::of(&anyhow::anyhow!("no status")), Exit::Problems);
    }
}
