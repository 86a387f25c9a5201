//! Dead letters beside a running process: read, taken out, asked to be tried again.
//!
//! The position of a letter is its number for people. A letter that was settled (tried again with
//! success, or purged) leaves an empty row behind, so that positions stay dense. A letter that is to be
//! tried again has the key partition [`ASKED`]; the process that holds the log sees the cursor
//! [`REQUESTS`] move and looks for them. Nothing is appended here, so that no process is fenced, and every
//! transaction is small: the writer of a running process waits for milliseconds.

use std::ops::Range;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior};

use super::reader::{self, Reader};
use super::schema::{row_crc, signed, small_crc};
use super::{BUSY_TIMEOUT, DB_FILE, StateError, lock};
use crate::log::{Pos, ReadError, Row, Stream};

/// Key partition of a letter that is to be tried again; that of all others is 0.
pub const ASKED: u32 = 1;

/// The cursor that moves whenever somebody asks.
pub(super) const REQUESTS: &str = "dead/requests";

/// Most letters that one transaction changes.
pub const CHANGED_MAX: usize = 200;

/// The dead letters of a state directory, read only. Takes no lock and fences nobody.
#[derive(Debug)]
pub struct DeadReader {
    reader: Reader,
}

impl DeadReader {
    /// Opens the dead letters in the state directory `dir`.
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
    pub fn bounds(&self) -> Result<Range<Pos>, ReadError> {
        let ends = self.reader.ends(Stream::Dead)?;
        Ok(ends.oldest..ends.next)
    }

    /// Up to `limit` rows from `from` on, oldest first; those of settled letters are empty.
    ///
    /// # Errors
    /// When the log cannot be read, or rows are missing or damaged.
    pub fn read(&self, from: Pos, limit: usize) -> Result<Vec<Row>, ReadError> {
        let ends = self.reader.ends(Stream::Dead)?;
        // Retention may have taken the oldest since the bounds were asked for.
        self.reader
            .rows(Stream::Dead, from.max(ends.oldest), limit, ends)
    }
}

/// Changes dead letters beside a running process.
#[derive(Debug)]
pub struct DeadEditor {
    conn: Connection,
}

impl DeadEditor {
    /// Opens the dead letters in the state directory `dir`.
    ///
    /// # Errors
    /// When there is no log, or it cannot be written.
    pub fn open(dir: &Path) -> Result<Self, StateError> {
        let path = dir.join(DB_FILE);
        std::fs::metadata(&path).map_err(|error| lock::io("find the log", &path, error))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags)?;
        conn.busy_timeout(BUSY_TIMEOUT)?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        // What is taken out is overwritten, not only forgotten.
        conn.query_row("PRAGMA secure_delete = ON", [], |_| Ok(()))?;
        Ok(Self { conn })
    }

    /// Takes letters out for good; says how many were there.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn purge(&mut self, letters: &[Pos]) -> Result<u64, StateError> {
        let mut purged = 0;
        for some in letters.chunks(CHANGED_MAX) {
            let tx = self
                .conn
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            for pos in some {
                purged += u64::from(is_there(&tx, *pos)?);
                write(&tx, (*pos, 0), &[])?;
            }
            tx.commit()?;
        }
        Ok(purged)
    }

    /// Brings what was purged out of the write-ahead log, as far as no reader holds it.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn write_back(&self) -> Result<(), StateError> {
        Ok(self
            .conn
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }

    /// Asks for letters to be tried again; says which were there.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn ask(&mut self, letters: &[Pos]) -> Result<Vec<Pos>, StateError> {
        let mut asked = Vec::new();
        for some in letters.chunks(CHANGED_MAX) {
            let tx = self
                .conn
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            for pos in some {
                if let Some(body) = body(&tx, *pos)? {
                    write(&tx, (*pos, ASKED), &body)?;
                    asked.push(*pos);
                }
            }
            let next = reader::cursor(&tx, REQUESTS)? + 1;
            tx.execute(
                "INSERT INTO cursors VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET pos = excluded.pos, crc = excluded.crc",
                (REQUESTS, signed(next), small_crc(REQUESTS, &[signed(next)])),
            )?;
            tx.commit()?;
        }
        Ok(asked)
    }
}

/// Puts another body in the place of a letter that was to be tried again, or none: it is settled. One
/// that nobody asks for any more stays as it is: it was purged while it was tried.
pub(super) fn settle(tx: &Transaction<'_>, pos: Pos, body: &[u8]) -> rusqlite::Result<()> {
    let mut statement = tx.prepare("SELECT 1 FROM dead WHERE pos = ?1 AND part = ?2")?;
    if statement.exists((signed(pos), ASKED))? {
        write(tx, (pos, 0), body)?;
    }
    Ok(())
}

fn write(tx: &Transaction<'_>, (pos, part): (Pos, u32), body: &[u8]) -> rusqlite::Result<()> {
    let crc = row_crc(pos, part, body);
    let mut statement =
        tx.prepare("UPDATE dead SET part = ?2, crc = ?3, body = ?4 WHERE pos = ?1")?;
    statement.execute((signed(pos), part, crc, body))?;
    Ok(())
}

/// The body of a letter that is there and whole.
fn body(tx: &Transaction<'_>, pos: Pos) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut statement = tx.prepare("SELECT part, crc, body FROM dead WHERE pos = ?1")?;
    let found: Option<(u32, u32, Vec<u8>)> = statement
        .query_row([signed(pos)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let whole = |(part, crc, body): (u32, u32, Vec<u8>)| {
        (crc == row_crc(pos, part, &body) && !body.is_empty()).then_some(body)
    };
    Ok(found.and_then(whole))
}

fn is_there(tx: &Transaction<'_>, pos: Pos) -> rusqlite::Result<bool> {
    Ok(body(tx, pos)?.is_some())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::clock::Clock;
    use crate::log::sqlite::{Options, SqliteLog};
    use crate::log::{Append, Log as _};

    async fn log(dir: &Path) -> SqliteLog {
        let log = SqliteLog::open(dir, Options::new(Clock::start())).unwrap();
        let dead = ["one", "two", "three"].map(Bytes::from).into();
        log.append(Append {
            dead,
            ..Append::default()
        })
        .await
        .unwrap();
        log
    }

    fn bodies(reader: &DeadReader) -> Vec<(u32, Vec<u8>)> {
        let rows = reader.read(1, 10).unwrap();
        rows.into_iter()
            .map(|row| (row.part, row.body.to_vec()))
            .collect()
    }

    #[tokio::test]
    async fn letters_are_purged_beside_a_running_process_which_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path()).await;
        let mut editor = DeadEditor::open(dir.path()).unwrap();
        assert_eq!(editor.purge(&[2, 9]).unwrap(), 1);
        editor.write_back().unwrap();
        let reader = DeadReader::open(dir.path()).unwrap();
        let left = [&b"one"[..], b"", b"three"].map(|body| (0, body.to_vec()));
        assert_eq!(bodies(&reader), left);
        let more = Append {
            dead: vec![Bytes::from("four")],
            ..Append::default()
        };
        assert_eq!(log.append(more).await.unwrap().dead, 4..5);
        drop(log);
        // A start holds positions and checksums against what is there.
        let log = SqliteLog::open(dir.path(), Options::new(Clock::start())).unwrap();
        assert_eq!(log.bounds(Stream::Dead).await.unwrap(), 1..5);
        for name in ["palisade.db", "palisade.db-wal"] {
            let bytes = std::fs::read(dir.path().join(name)).unwrap_or_default();
            let holds = bytes.windows(3).any(|some| some == b"two");
            assert!(!holds, "{name} still holds what was purged");
        }
    }

    #[tokio::test]
    async fn who_holds_the_log_learns_what_is_to_be_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path()).await;
        assert_eq!(log.asked_retries(1).await.unwrap(), (1, Vec::new()));
        let mut editor = DeadEditor::open(dir.path()).unwrap();
        editor.purge(&[2]).unwrap();
        assert_eq!(editor.ask(&[1, 2, 3, 9]).unwrap(), [1, 3]);
        let (seen, rows) = log.asked_retries(1).await.unwrap();
        let asked: Vec<_> = rows.iter().map(|row| row.pos).collect();
        assert_eq!((seen, asked), (2, vec![1, 3]));
        log.append(Append {
            settled: vec![(1, Bytes::new()), (3, Bytes::from("three, again"))],
            ..Append::default()
        })
        .await
        .unwrap();
        let reader = DeadReader::open(dir.path()).unwrap();
        let left = [&b""[..], b"", b"three, again"].map(|body| (0, body.to_vec()));
        assert_eq!(bodies(&reader), left);
        assert_eq!(log.asked_retries(2).await.unwrap(), (2, Vec::new()));
        assert_eq!(log.asked_retries(1).await.unwrap(), (2, Vec::new()));
    }

    #[tokio::test]
    async fn a_letter_that_is_purged_while_it_is_tried_does_not_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path()).await;
        let mut editor = DeadEditor::open(dir.path()).unwrap();
        editor.ask(&[1, 2]).unwrap();
        assert_eq!(editor.purge(&[1]).unwrap(), 1);
        let failed = [
            (1, Bytes::from("one, again")),
            (2, Bytes::from("two, again")),
        ];
        log.append(Append {
            settled: failed.into(),
            ..Append::default()
        })
        .await
        .unwrap();
        let reader = DeadReader::open(dir.path()).unwrap();
        let left = [&b""[..], b"two, again", b"three"].map(|body| (0, body.to_vec()));
        assert_eq!(bodies(&reader), left);
    }
}
