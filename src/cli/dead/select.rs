//! Which dead letters.

use anyhow::bail;
use indicatif::ProgressBar;
use palisade_detect::time::Timestamp;

use super::{each_letter, time};
use crate::log::Pos;
use crate::log::sqlite::DeadReader;
use crate::topology::dead::Letter;

/// What letters are like.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Filter {
    /// Only those of this class of reason, such as `not_json`.
    #[arg(long, value_name = "REASON")]
    pub reason: Option<String>,
    /// Only input from this source.
    #[arg(long, value_name = "SOURCE")]
    pub source: Option<String>,
    /// Only alerts that this sink could not take.
    #[arg(long, value_name = "SINK")]
    pub sink: Option<String>,
    /// Only those from before this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub before: Option<Timestamp>,
}

impl Filter {
    /// Whether a letter fits. Of one that cannot be read nobody knows what it is like: it fits where
    /// nothing is asked.
    pub fn takes(&self, letter: Option<&Letter>) -> bool {
        letter.map_or_else(|| self.is_empty(), |letter| self.takes_read(letter))
    }

    fn takes_read(&self, letter: &Letter) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == found
        };
        let of_source = |name: &String| letter.is_of(name);
        let early = |before: &Timestamp| {
            Timestamp::parse_rfc3339(&letter.at).is_some_and(|at| at < *before)
        };
        is(&self.reason, Some(&letter.reason))
            && is(&self.sink, letter.sink.as_deref())
            && self.source.as_ref().is_none_or(of_source)
            && self.before.as_ref().is_none_or(early)
    }

    fn is_empty(&self) -> bool {
        let Self {
            reason,
            source,
            sink,
            before,
        } = self;
        reason.is_none() && source.is_none() && sink.is_none() && before.is_none()
    }
}

/// Letters of which something is to become.
#[derive(Debug, Clone, clap::Args)]
pub struct Selection {
    /// Their numbers.
    #[arg(value_name = "NUMBER")]
    pub numbers: Vec<Pos>,
    /// All of them.
    #[arg(long, conflicts_with = "numbers")]
    pub all: bool,
    /// What they are like.
    #[command(flatten)]
    pub filter: Filter,
}

impl Selection {
    /// The numbers of the letters that are there.
    pub(super) fn numbers(&self, log: &DeadReader) -> anyhow::Result<Vec<Pos>> {
        if self.numbers.is_empty() && !self.all && self.filter.is_empty() {
            bail!("which letters? give their numbers, `--reason` and the like, or `--all`");
        }
        let mut found = Vec::new();
        each_letter(log, &ProgressBar::hidden(), &mut |row, letter| {
            let named = self.numbers.is_empty() || self.numbers.contains(&row.pos);
            if named && self.filter.takes(letter) {
                found.push(row.pos);
            }
            Ok(())
        })?;
        for number in &self.numbers {
            if !found.contains(number) && self.filter.is_empty() {
                bail!("there is no dead letter {number}");
            }
        }
        Ok(found)
    }
}
