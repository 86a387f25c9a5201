//! Reading the alerts beside a running process.

use std::path::Path;

use super::reader::Reader;
use super::{DB_FILE, StateError, lock};
use crate::log::{Pos, ReadError, Row, Stream};

/// Positions that one search step covers: short transactions let the write-ahead log be folded back.
const SEARCH_ROWS: u64 = 20_000;

/// The alerts of a state directory, read only. Takes no lock and fences nobody.
#[derive(Debug)]
pub struct AlertsReader {
    reader: Reader,
}

impl AlertsReader {
    /// Opens the alerts in the state directory `dir`.
    ///
    /// # Errors
    /// When there is no log, or it cannot be read.
    pub fn open(dir: &Path) -> Result<Self, StateError> {
        let path = dir.join(DB_FILE);
        std::fs::metadata(&path).map_err(|error| lock::io("find the log", &path, error))?;
        Ok(Self {
            reader: Reader::open(dir)?,
        })
    }

    /// As [`Self::open`]; `None` where no log has been written yet.
    ///
    /// # Errors
    /// When there is a log that cannot be read.
    pub fn open_existing(dir: &Path) -> Result<Option<Self>, StateError> {
        if dir.join(DB_FILE).exists() {
            Self::open(dir).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Oldest position held and the position after the newest.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn bounds(&self) -> Result<std::ops::Range<Pos>, ReadError> {
        let ends = self.reader.ends(Stream::Alerts)?;
        Ok(ends.oldest..ends.next)
    }

    /// Up to `limit` alerts from `from` on, oldest first.
    ///
    /// # Errors
    /// When the log cannot be read, or alerts are missing or damaged.
    pub fn read(&self, from: Pos, limit: usize) -> Result<Vec<Row>, ReadError> {
        let ends = self.reader.ends(Stream::Alerts)?;
        self.reader.rows(Stream::Alerts, from, limit, ends)
    }

    /// The newest alert whose id begins with `id`.
    ///
    /// # Errors
    /// When the log cannot be read, or the alert is damaged.
    pub fn find(&self, id: &str) -> Result<Found, ReadError> {
        let bounds = self.bounds()?;
        let mut upto = bounds.end;
        let mut found: Option<(String, Row)> = None;
        while upto > bounds.start {
            let from = upto.saturating_sub(SEARCH_ROWS).max(bounds.start);
            for (other, row) in self.reader.alerts(id, from..upto, 2)? {
                match &found {
                    None => found = Some((other, row)),
                    Some((known, _)) if *known == other => {}
                    Some((known, _)) => return Ok(Found::Several(known.clone(), other)),
                }
            }
            if found.as_ref().is_some_and(|(known, _)| known == id) {
                break;
            }
            upto = from;
        }
        Ok(found.map_or(Found::None, |(_, row)| Found::One(row)))
    }
}

/// What a search by id comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// No alert's id begins so.
    None,
    /// The newest row of the one alert.
    One(Row),
    /// At least these two begin so.
    Several(String, String),
}
