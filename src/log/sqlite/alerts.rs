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

    /// The newest alert with this id.
    ///
    /// # Errors
    /// When the log cannot be read, or the alert is damaged.
    pub fn find(&self, alert_id: &str) -> Result<Option<Row>, ReadError> {
        let bounds = self.bounds()?;
        let mut upto = bounds.end;
        while upto > bounds.start {
            let from = upto.saturating_sub(SEARCH_ROWS).max(bounds.start);
            if let Some(row) = self.reader.alert(alert_id, from, upto)? {
                return Ok(Some(row));
            }
            upto = from;
        }
        Ok(None)
    }
}
