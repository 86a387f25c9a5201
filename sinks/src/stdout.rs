//! The stdout sink: blocks for people on a terminal, one canonical alert a line otherwise.

use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use palisade_detect::alert::Alert;
use palisade_detect::diagnostic::Color;

use crate::render::{pretty, shown};
use crate::sink::{Sink, SinkItem, SinkResult, Why};

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A block an alert.
    Pretty(Color),
    /// The canonical alert, one a line.
    Ndjson,
}

/// Writes alerts to standard output. `Done` means that the reader's pipe or terminal has them.
#[derive(Debug)]
pub struct StdoutSink<W = io::Stdout> {
    out: Arc<Mutex<W>>,
    format: Format,
}

impl StdoutSink {
    /// A sink on this process's standard output.
    pub fn new(format: Format) -> Self {
        Self::on(io::stdout(), format)
    }
}

impl<W: Write + Send + 'static> StdoutSink<W> {
    fn on(out: W, format: Format) -> Self {
        Self {
            out: Arc::new(Mutex::new(out)),
            format,
        }
    }
}

#[async_trait::async_trait]
impl<W: Write + Send + 'static> Sink for StdoutSink<W> {
    async fn deliver(&mut self, batch: &[SinkItem]) -> Vec<SinkResult> {
        let mut text = Vec::new();
        for item in batch {
            put(&mut text, &item.body, self.format);
        }
        let out = Arc::clone(&self.out);
        // A reader that does not read must not hold one of the runtime's own threads.
        let written = tokio::task::spawn_blocking(move || {
            let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
            out.write_all(&text).and_then(|()| out.flush())
        })
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)));
        let answer = written.map_or_else(|error| refused(&error), |()| SinkResult::Done);
        vec![answer; batch.len()]
    }
}

fn put(text: &mut Vec<u8>, body: &[u8], format: Format) {
    match format {
        Format::Ndjson => {
            text.extend_from_slice(body);
            text.push(b'\n');
        }
        Format::Pretty(color) => {
            let block = match serde_json::from_slice::<Alert>(body) {
                Ok(alert) => pretty(&alert, color),
                // Not of this version: what is there is still shown.
                Err(_) => format!("{}\n", shown(&String::from_utf8_lossy(body))),
            };
            text.extend_from_slice(block.as_bytes());
            text.push(b'\n');
        }
    }
}

fn refused(error: &io::Error) -> SinkResult {
    if error.kind() == ErrorKind::BrokenPipe {
        let message = "whoever read standard output has gone".to_owned();
        return SinkResult::Blocked(Why {
            class: "broken_pipe",
            message,
        });
    }
    SinkResult::RetryAfter(
        Duration::ZERO,
        Why {
            class: "io",
            message: error.to_string(),
        },
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::render::tests::alert;

    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn item(body: Vec<u8>) -> SinkItem {
        SinkItem {
            pos: 1,
            alert_id: "a".to_owned(),
            dedupe_key: "d".to_owned(),
            body: Bytes::from(body),
        }
    }

    async fn printed(format: Format, body: Vec<u8>) -> String {
        let mut sink = StdoutSink::on(Vec::new(), format);
        assert_eq!(sink.deliver(&[item(body)]).await, [SinkResult::Done]);
        let out = sink.out.lock().unwrap().clone();
        String::from_utf8(out).unwrap()
    }

    #[tokio::test]
    async fn a_program_gets_the_canonical_line() {
        let line = printed(Format::Ndjson, alert().to_line()).await;
        assert_eq!(serde_json::from_str::<Alert>(&line).unwrap(), alert());
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[tokio::test]
    async fn a_person_gets_a_block_and_a_blank_line() {
        let text = printed(Format::Pretty(Color::Never), alert().to_line()).await;
        assert!(text.starts_with(" HIGH  Sign-in denied"), "{text}");
        assert!(text.ends_with("\n\n"), "{text:?}");
    }

    #[tokio::test]
    async fn a_body_of_another_version_is_shown_without_its_control_characters() {
        let text = printed(Format::Pretty(Color::Never), b"\x1b[2J".to_vec()).await;
        assert_eq!(text, "\\u{1b}[2J\n\n");
    }

    #[tokio::test]
    async fn a_reader_that_has_gone_blocks_the_sink() {
        let mut sink = StdoutSink::on(Gone, Format::Ndjson);
        let answers = sink.deliver(&[item(Vec::new()), item(Vec::new())]).await;
        assert_eq!(answers.len(), 2);
        assert!(matches!(&answers[0], SinkResult::Blocked(why) if why.class == "broken_pipe"));
    }
}
