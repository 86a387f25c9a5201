//! Commits, sent by a thread of their own.
//!
//! librdkafka answers only synchronous commits, and those wait for a broker that is down until the
//! session times out. The source's loop must keep polling meanwhile, so it hands the list over and
//! looks for the answer later.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::client::Context;

/// How long a revoke or the shutdown waits for one answer.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// Sends one commit at a time.
pub(super) struct Committer {
    jobs: SyncSender<TopicPartitionList>,
    answers: Receiver<KafkaResult<()>>,
    thread: JoinHandle<()>,
    open: bool,
}

/// What came of the last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing is under way.
    Idle,
    /// The broker has not answered yet.
    Open,
    /// It was not taken. Harmless: the next one says the same or more.
    Failed,
}

impl Committer {
    /// A committer for `consumer`.
    pub(super) fn start(consumer: Arc<BaseConsumer<Context>>) -> std::io::Result<Self> {
        let (jobs, lists) = sync_channel::<TopicPartitionList>(1);
        let (answer, answers) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("commit".to_owned())
            .spawn(move || {
                for list in lists {
                    let answered = consumer.commit(&list, CommitMode::Sync);
                    if answer.send(answered).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self {
            jobs,
            answers,
            thread,
            open: false,
        })
    }

    /// Sends a list; nothing else may be under way.
    pub(super) fn send(&mut self, list: TopicPartitionList) {
        // The queue is empty and the thread waits for it, unless it has panicked.
        self.open = self.jobs.try_send(list).is_ok();
    }

    /// Looks for the answer without waiting.
    pub(super) fn look(&mut self) -> Answer {
        self.take(Duration::ZERO)
    }

    /// Waits for the answer, bounded.
    pub(super) fn wait(&mut self) -> Answer {
        self.take(ANSWER_WAIT)
    }

    fn take(&mut self, wait: Duration) -> Answer {
        if !self.open {
            return Answer::Idle;
        }
        let Ok(answered) = self.answers.recv_timeout(wait) else {
            return Answer::Open;
        };
        self.open = false;
        match answered {
            Ok(()) => Answer::Idle,
            Err(error) => {
                tracing::debug!(%error, "a commit was not taken and is sent again");
                Answer::Failed
            }
        }
    }

    /// Ends the thread; one that still waits for a broker ends by itself when librdkafka gives up.
    pub(super) fn end(self) {
        drop(self.jobs);
        if !self.open && self.thread.join().is_err() {
            tracing::error!("the thread that commits has panicked");
        }
    }
}
