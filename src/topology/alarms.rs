//! Where the stages say what is wrong, and the task that makes operational alerts of it.
//!
//! Saying something never waits: sources, judges and the log itself call it. The first notice of a
//! kind about a subject goes out at once; what is said of the same within [`PAUSE`] after it is held
//! back, and goes out as one, the newest with how often more it was said. So a fault that comes and goes cannot flood the sinks, and none is ever
//! without an alert.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use palisade_detect::alert::Alert;
use palisade_detect::id::IdHasher;
use palisade_detect::rule::Level;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::operational::{self, Kind, Notice};
use crate::clock::Clock;
use crate::log::{Append, AppendError, Log, ReadError};
use crate::metrics::Metrics;

/// How long after an alert the same kind about the same subject is held back.
pub const PAUSE: Duration = Duration::from_mins(10);

/// Most subjects of a kind that are told apart; what is said of further ones is held back together.
/// Subjects come from the configuration, so that only a very large one reaches it.
pub const SUBJECTS_MAX: usize = 1_000;

/// Stands for the subjects beyond [`SUBJECTS_MAX`].
const OTHERS: &str = "others";

/// The fact that holds which deployment this is.
pub const DEPLOYMENT: &str = "deployment/id";

/// What stages say about the process.
pub struct Alarms {
    clock: Clock,
    metrics: Arc<Metrics>,
    deployment: OnceLock<String>,
    said: Mutex<BTreeMap<(Kind, String), Said>>,
    news: Notify,
}

/// What was said of one subject.
#[derive(Default)]
struct Said {
    /// When its last alert was written.
    at: Option<Instant>,
    /// The bucket of that alert: another of the same would have its id.
    bucket: Option<i64>,
    /// What is to be said next, and how often more it was said meanwhile.
    waiting: Option<(Notice, u64)>,
}

impl Said {
    /// When what waits may go out; `None`: at once.
    fn due(&self) -> Option<Instant> {
        self.at.map(|at| at + PAUSE)
    }
}

/// What tells this state from others; the first start gives it a name.
///
/// # Errors
/// When the log cannot be read or written.
pub async fn deployment(log: &dyn Log, clock: Clock) -> Result<String, BeginError> {
    if let Some((_, body)) = log.facts(DEPLOYMENT).await?.into_iter().next() {
        return Ok(String::from_utf8_lossy(&body).into_owned());
    }
    let name = IdHasher::new("dp1")
        .number(clock.now().ticks())
        .number(i64::from(std::process::id()))
        .finish()
        .to_string();
    log.put_fact(DEPLOYMENT, Bytes::from(name.clone())).await?;
    Ok(name)
}

impl Alarms {
    /// Nothing was said yet.
    pub fn new(clock: Clock, metrics: Arc<Metrics>) -> Self {
        Self {
            clock,
            metrics,
            deployment: OnceLock::new(),
            said: Mutex::default(),
            news: Notify::new(),
        }
    }

    /// Learns which deployment this is; the first start gives it a name.
    ///
    /// # Errors
    /// When the log cannot be read or written.
    pub async fn begin(&self, log: &dyn Log) -> Result<(), BeginError> {
        let name = deployment(log, self.clock).await?;
        // A second start on the same parts would find the same.
        self.deployment.get_or_init(|| name);
        Ok(())
    }

    /// Says something: in the process log and the metrics at once, and as an alert soon.
    pub fn raise(&self, notice: Notice) {
        self.tell(&notice);
        let mut said = self.lock();
        let subjects = said
            .range((notice.kind, String::new())..)
            .take(SUBJECTS_MAX);
        let full = subjects
            .filter(|((kind, _), _)| *kind == notice.kind)
            .count()
            >= SUBJECTS_MAX;
        let mut key = (notice.kind, notice.subject.clone());
        if full && !said.contains_key(&key) {
            OTHERS.clone_into(&mut key.1);
        }
        let entry = said.entry(key).or_default();
        // Another alert of the bucket of the last one would have its id.
        let is_said = entry.bucket == Some(notice.bucket);
        match &mut entry.waiting {
            Some((waiting, more)) => {
                *more += 1;
                if !is_said {
                    *waiting = notice;
                }
            }
            None if is_said => return,
            None => entry.waiting = Some((notice, 0)),
        }
        drop(said);
        self.news.notify_one();
    }

    /// What was said of a subject no longer holds: what is held back of it need not be said.
    pub fn over(&self, kind: Kind, subject: &str) {
        if let Some(entry) = self.lock().get_mut(&(kind, subject.to_owned()))
            && entry.at.is_some()
        {
            entry.waiting = None;
        }
    }

    /// The alert of a notice that its caller appends with what it belongs to. It is told and counted.
    pub fn alert(&self, notice: Notice) -> Alert {
        self.tell(&notice);
        self.make(notice)
    }

    /// Appends alerts until `stop` says so; then everything that waits, held back or not.
    ///
    /// # Errors
    /// When the log is lost to this process.
    pub async fn run(
        self: Arc<Self>,
        log: Arc<dyn Log>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), AppendError> {
        loop {
            let stopping = *stop.borrow_and_update();
            let (due, next) = self.take(Instant::now(), stopping);
            if !due.is_empty() {
                let alerts = due.into_iter().map(|notice| self.make(notice));
                let batch = Append {
                    alerts: alerts.map(operational::row).collect(),
                    ..Append::default()
                };
                // A full disk is waited for: what is said meanwhile waits here.
                log.append(batch).await?;
                continue;
            }
            if stopping {
                return Ok(());
            }
            let later = async {
                match next {
                    Some(next) => sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.news.notified() => {}
                () = later => {}
                changed = stop.changed() => if changed.is_err() { return Ok(()) },
            }
        }
    }

    /// What is due, and when the next is.
    fn take(&self, now: Instant, everything: bool) -> (Vec<Notice>, Option<Instant>) {
        let (mut due, mut next) = (Vec::new(), None::<Instant>);
        for said in self.lock().values_mut() {
            if said.waiting.is_none() {
                continue;
            }
            if let Some(at) = said.due().filter(|at| !everything && *at > now) {
                next = Some(next.map_or(at, |next| next.min(at)));
                continue;
            }
            said.at = Some(now);
            let notice = said.waiting.take().map(repeated);
            said.bucket = notice.as_ref().map(|notice| notice.bucket);
            due.extend(notice);
        }
        (due, next)
    }

    fn make(&self, notice: Notice) -> Alert {
        let deployment = self.deployment.get().map_or("", String::as_str);
        let alert = notice.alert(deployment, self.clock.now().to_string());
        self.metrics.alert(&alert);
        alert
    }

    fn tell(&self, notice: &Notice) {
        let Notice {
            subject,
            title,
            description,
            ..
        } = notice;
        let (problem, runbook) = (notice.kind.as_str(), notice.kind.runbook());
        if notice.kind.level() >= Level::High {
            tracing::error!(problem, subject, runbook, "{title}: {description}");
        } else {
            tracing::warn!(problem, subject, runbook, "{title}: {description}");
        }
        self.metrics.problem(problem);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Kind, String), Said>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A notice that says how often more it was said.
fn repeated((notice, more): (Notice, u64)) -> Notice {
    match more {
        0 => notice,
        more => notice.with_label("repeats", &more),
    }
}

/// Why a deployment cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log cannot be written.
    #[error(transparent)]
    Append(#[from] AppendError),
}

#[cfg(test)]
mod tests;
