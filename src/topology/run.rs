//! A running topology: its tasks, and what their ends mean.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use palisade_ingest::source::{Handler, Source};
use palisade_sinks::delivery::Pauses;
use palisade_sinks::sink::Sink;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::Site;
use super::breaker::Breakers;
use super::delivery::Delivery;
use super::fold::Folds;
use super::intake::{Intake, Work};
use super::judge::{self, JudgeContext, Judged};
use super::reload::Reloads;
use super::retry::Retries;
use super::shutdown::Failure;
use super::snapshots::{Keeper, SnapshotPlan};
use crate::log::{Log, Pos};
use crate::snapshots::SnapshotStore;

/// A part of the topology that runs by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The source of this name.
    Source(Arc<str>),
    /// One of the judges.
    Judge,
    /// The appender.
    Appender,
    /// The folds.
    Folds,
    /// Saves the folds' state.
    Keeper,
    /// Writes operational alerts.
    Alarms,
    /// The delivery of the sink of this name.
    Delivery(String),
    /// Trimming, signs of life.
    Upkeep,
    /// Looks after the rules.
    Rules,
    /// Tries dead letters again.
    Retries,
}

/// What runs, and the first thing that ends.
#[derive(Default)]
pub struct Tasks {
    set: JoinSet<(Part, Result<(), Failure>)>,
    /// The parts in `set`.
    running: Vec<Part>,
}

impl Tasks {
    /// Runs a stage.
    pub fn spawn<E>(
        &mut self,
        part: Part,
        stage: impl Future<Output = Result<(), E>> + Send + 'static,
    ) where
        E: Into<Failure>,
    {
        self.running.push(part.clone());
        self.set
            .spawn(async move { (part, stage.await.map_err(Into::into)) });
    }

    /// Runs a delivery for each sink, until what is returned says stop.
    pub fn deliver(
        &mut self,
        sinks: Vec<(String, Box<dyn Sink>)>,
        log: &Arc<dyn Log>,
        site: &Site,
    ) -> watch::Sender<bool> {
        let (stop, stopped) = watch::channel(false);
        for (name, sink) in sinks {
            let part = Part::Delivery(name.clone());
            let delivery = Delivery {
                name,
                sink,
                log: Arc::clone(log),
                clock: site.clock,
                metrics: Arc::clone(&site.metrics),
                alarms: Arc::clone(&site.alarms),
                pauses: Pauses::default(),
            };
            self.spawn(part, delivery.run(stopped.clone()));
        }
        stop
    }

    /// Starts the judges; each ends when its queue is closed and empty.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn judge(
        &mut self,
        context: &JudgeContext,
        out: &mpsc::Sender<Judged>,
    ) -> io::Result<Vec<mpsc::Sender<Work>>> {
        let (queues, judges) = judge::start(judge::count(), context, out)?;
        for judge in judges {
            self.watch(Part::Judge, judge);
        }
        Ok(queues)
    }

    /// Writes operational alerts, until what is returned says stop.
    pub fn say(&mut self, log: &Arc<dyn Log>, site: &Site) -> watch::Sender<bool> {
        let (stop, stopped) = watch::channel(false);
        let alarms = Arc::clone(&site.alarms).run(Arc::clone(log), stopped);
        self.spawn(Part::Alarms, alarms);
        stop
    }

    /// Runs the folds, until what is returned says stop, and saves their state if that is planned. The
    /// other thing that is returned says which matches no start needs any more.
    pub fn fold(
        &mut self,
        mut folds: Folds,
        kept: Option<(SnapshotPlan, SnapshotStore)>,
        site: &Site,
    ) -> (watch::Sender<bool>, watch::Receiver<Pos>) {
        let trimmable = match kept {
            Some((plan, store)) => {
                let (run, trimmable) = Keeper::new(plan, store, &mut folds, site).start();
                self.spawn(Part::Keeper, run);
                trimmable
            }
            None => folds.folded(),
        };
        let (stop, stopped) = watch::channel(false);
        self.spawn(Part::Folds, folds.run(stopped));
        (stop, trimmable)
    }

    /// Looks after the rules, and after what people ask to be judged again, until what is returned says
    /// stop.
    pub fn look_after(&mut self, reloads: Reloads, retries: Retries) -> watch::Sender<bool> {
        let (stop, stopped) = watch::channel(false);
        self.spawn(Part::Retries, retries.run(stopped.clone()));
        self.spawn(Part::Rules, reloads.run(stopped));
        stop
    }

    /// Waits for a thread that says its end; a panic ends it without a word.
    pub fn watch(&mut self, part: Part, ended: oneshot::Receiver<Result<(), Failure>>) {
        let lost = Failure::Lost { part: part.clone() };
        self.spawn(part, async move { ended.await.unwrap_or(Err(lost)) });
    }

    /// Whether any part that `is_meant` still runs.
    pub fn runs(&self, is_meant: impl Fn(&Part) -> bool) -> bool {
        self.running.iter().any(is_meant)
    }

    /// The next part that ends, and how. `None` when nothing runs any more.
    ///
    /// # Errors
    /// When the part did not end well.
    ///
    /// # Panics
    /// Never: every task's part is in the list.
    pub async fn next(&mut self) -> Option<Result<Part, Failure>> {
        match self.set.join_next().await? {
            Ok((part, Ok(()))) => {
                let place = self.running.iter().position(|running| *running == part);
                self.running
                    .swap_remove(place.expect("every task's part is in the list"));
                Some(Ok(part))
            }
            Ok((part, Err(failure))) => {
                tracing::error!(?part, "a part of the topology failed");
                Some(Err(failure))
            }
            Err(_) => Some(Err(Failure::Panicked)),
        }
    }
}

/// A topology under way.
pub struct Running {
    pub(super) tasks: Tasks,
    pub(super) intake: Arc<Intake>,
    pub(super) breakers: Arc<Breakers>,
    pub(super) stop_rules: watch::Sender<bool>,
    pub(super) stop_sources: Arc<AtomicBool>,
    pub(super) stop_folds: watch::Sender<bool>,
    pub(super) stop_alarms: watch::Sender<bool>,
    pub(super) stop_deliveries: watch::Sender<bool>,
}

/// Whoever gives a topology up without a drain leaves no thread that goes on reading.
impl Drop for Running {
    fn drop(&mut self) {
        self.stop_sources.store(true, Ordering::Relaxed);
        self.breakers.give_up();
        self.intake.close();
    }
}

impl Running {
    /// Lets the sources read, each on a thread of its own.
    pub(super) fn read(
        mut self,
        sources: Vec<(Arc<str>, Box<dyn Source>)>,
    ) -> Result<Self, Failure> {
        for (name, source) in sources {
            let handler: Arc<dyn Handler> = Arc::<Intake>::clone(&self.intake);
            let stop = Arc::clone(&self.stop_sources);
            let (say, ended) = oneshot::channel();
            let thread = thread::Builder::new().name(format!("source-{name}"));
            let read = move || {
                // Nobody listens any more when the process ends without a drain.
                say.send(source.run(handler, stop).map_err(Failure::from))
                    .ok();
            };
            thread.spawn(read)?;
            self.tasks.watch(Part::Source(name), ended);
        }
        Ok(self)
    }

    /// Runs until a signal, the end of every source, or the first failure; then drains.
    ///
    /// # Errors
    /// When a part failed, the drain took too long, or a second signal came.
    pub async fn run(mut self, mut signals: mpsc::Receiver<()>) -> Result<(), Failure> {
        while self.is_reading() {
            tokio::select! {
                Some(()) = signals.recv() => {
                    tracing::info!("draining");
                    break;
                }
                ended = self.tasks.next() => Self::ended(ended)?,
            }
        }
        tokio::select! {
            drained = self.drain() => drained,
            Some(()) = signals.recv() => Err(Failure::Signal),
        }
    }

    /// Whether a source runs.
    pub(super) fn is_reading(&self) -> bool {
        self.tasks.runs(|part| matches!(part, Part::Source(_)))
    }

    /// Takes note of a part that ended: only a source may, and only well.
    pub(super) fn ended(ended: Option<Result<Part, Failure>>) -> Result<(), Failure> {
        match ended {
            Some(Ok(Part::Source(name))) => {
                tracing::info!(source = &*name, "the source has ended");
                Ok(())
            }
            Some(Ok(part)) => Err(Failure::Lost { part }),
            Some(Err(failure)) => Err(failure),
            None => Err(Failure::Panicked),
        }
    }
}
