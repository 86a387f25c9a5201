//! Rules are loaded again while the process runs.
//!
//! Loading happens on a thread of its own and touches nothing that works. A set with any error never
//! takes the place of the one in force; what is wrong with it is logged, counted and shown by
//! `/readyz`, which stays ready: the rules in force go on.

use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use palisade_detect::diagnostic::Color;
use palisade_detect::time::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

use super::Site;
use super::fold::FoldError;
use super::in_force::InForce;
use super::intake::Intake;
use super::operational::{Kind, Notice};
use crate::rules::{Loaded, Standing};

/// How long files must be left alone before they are read: an editor or `git` writes many.
const QUIET: Duration = Duration::from_millis(300);

/// How long the quiet is waited for before files are read all the same.
const DISTURBED_MAX: Duration = Duration::from_secs(5);

/// Most bytes of diagnostics that `/readyz` shows.
const SHOWN_BYTES_MAX: usize = 16 * 1024;

/// What alerts about loading are about.
const RULES: &str = "rules";

/// Name of what is said about a refused set.
const PART: &str = "reload";

/// What the files of a rule set looked like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub blake3::Hash);

/// Where rules are loaded from. Both methods may block.
pub trait Files: Send + Sync {
    /// What the files look like now.
    fn fingerprint(&self) -> Fingerprint;

    /// Loads them, as they are meant at this time.
    fn load(&self, now: Timestamp) -> Loaded;
}

/// Who asks for the rules to be loaded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// A file changed, probably.
    Files,
    /// A person, by a signal.
    Signal,
}

/// What became of loading the rules again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Others are in force.
    Applied,
    /// They are the same.
    Unchanged,
    /// They have errors.
    Refused,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Applied, Self::Unchanged, Self::Refused];

    /// The value of the metric's label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
        }
    }
}

/// When rules are loaded again, and from where.
pub struct Reload {
    /// From where.
    pub files: Arc<dyn Files>,
    /// What they looked like when they were last read.
    pub known: Fingerprint,
    /// What they looked like when the rules in force were loaded. Errors in files that look so are known:
    /// the start has skipped them.
    pub accepted: Fingerprint,
    /// Who asks.
    pub triggers: mpsc::Receiver<Trigger>,
    /// How often the files are looked at without being asked; `None`: never.
    pub poll: Option<Duration>,
    /// When the rules change by themselves: an exception ends.
    pub changes_at: Option<Timestamp>,
    /// The rules in force, if exceptions among them end: they do so also while what the files say is
    /// refused.
    pub standing: Option<Standing>,
}

/// Why rules are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// The files may look otherwise.
    Look,
    /// They are loaded whatever they look like.
    Load,
}

/// The part of the topology that looks after the rules.
pub struct Reloads {
    /// The rules in force.
    pub in_force: InForce,
    /// `None`: they stay as they are.
    pub reload: Option<Reload>,
    /// What was read so far.
    pub intake: Arc<Intake>,
    /// How far all sources have come.
    pub passed: watch::Receiver<Option<Timestamp>>,
    /// Clock, health and metrics.
    pub site: Site,
}

impl Reloads {
    /// Runs until `stop` says so.
    ///
    /// # Errors
    /// When the log is lost to this process.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), FoldError> {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => Ok(()),
            failed = self.follow() => failed,
        }
    }

    async fn follow(&mut self) -> Result<(), FoldError> {
        let mut poll = self
            .reload
            .as_ref()
            .and_then(|reload| reload.poll)
            .map(every);
        // Whatever changed before anybody watched.
        self.load(Cause::Look).await?;
        loop {
            let expiry = self.expiry();
            let cause = tokio::select! {
                cause = asked(self.reload.as_mut()) => cause,
                () = tick(poll.as_mut()) => Cause::Look,
                () = expiry => Cause::Load,
                Ok(()) = self.passed.changed() => {
                    let passed = *self.passed.borrow_and_update();
                    if let Some(passed) = passed {
                        self.in_force.passed(passed).await?;
                    }
                    continue;
                }
            };
            self.load(cause).await?;
        }
    }

    /// Waits until the rules change by themselves.
    fn expiry(&self) -> impl Future<Output = ()> + use<> {
        let at = self.reload.as_ref().and_then(|reload| reload.changes_at);
        let left = at.map(|at| at.since(self.site.clock.now()).ticks().max(0));
        async move {
            match left {
                Some(ticks) => {
                    let micros = u64::try_from(ticks / 10).unwrap_or(0);
                    tokio::time::sleep(Duration::from_micros(micros)).await;
                }
                None => pending().await,
            }
        }
    }

    async fn load(&mut self, cause: Cause) -> Result<(), FoldError> {
        let Some(reload) = &mut self.reload else {
            return Ok(());
        };
        let (files, known) = (Arc::clone(&reload.files), reload.known);
        let now = self.site.clock.now();
        let read = spawn_blocking(move || {
            // Before the files are read: what changes meanwhile is seen the next time.
            let found = files.fingerprint();
            let wanted = cause == Cause::Load || found != known;
            wanted.then(|| (found, files.load(now)))
        });
        let (found, mut loaded) = match read.await {
            Ok(Some(read)) => read,
            Ok(None) => return Ok(()),
            Err(_) => {
                // The moment has passed; without this the next load would follow at once, for ever.
                reload.changes_at = None;
                let text = "loading the rules panicked, which is a bug; please report it";
                self.refused(known, 1, text.to_owned());
                return self.end_exceptions(now).await;
            }
        };
        reload.known = found;
        reload.changes_at = loaded.changes_at;
        let errors = loaded.findings.errors();
        // An exception that ends must end also where the start has skipped a rule.
        let acceptable = errors == 0 || found == reload.accepted;
        let Some(engine) = loaded.engine.take().filter(|_| acceptable) else {
            loaded.log();
            self.refused(found, errors, loaded.findings.render(Color::Never));
            return self.end_exceptions(now).await;
        };
        reload.accepted = found;
        reload.standing = loaded.standing.take();
        let same = found == known && self.in_force.is_same(&engine);
        let changes = if same {
            None
        } else {
            let changes = self.in_force.replace(engine, &self.intake).await?;
            Some(changes).filter(|changes| !changes.is_empty())
        };
        loaded.report(&self.site.metrics, &self.site.health);
        let outcome = if let Some(changes) = changes {
            tracing::info!(
                added = changes.added.len(),
                removed = changes.removed.len(),
                changed = changes.changed.len(),
                going_on = self.in_force.replaced(),
                "the rules are in force"
            );
            Outcome::Applied
        } else {
            tracing::info!("the rules were read again and are the same");
            Outcome::Unchanged
        };
        self.site.health.note(PART, None);
        if errors == 0 {
            self.site.alarms.over(Kind::RuleLoadFailed, RULES);
        }
        self.site.metrics.rules_read(outcome, self.site.clock.now());
        Ok(())
    }

    /// Ends exceptions of the rules in force although what the files say is refused.
    async fn end_exceptions(&mut self, now: Timestamp) -> Result<(), FoldError> {
        let Some(reload) = &mut self.reload else {
            return Ok(());
        };
        let Some(mut standing) = reload.standing.take() else {
            return Ok(());
        };
        let ended = standing.end(now);
        let ends_at = standing.ends_at();
        reload.changes_at = reload.changes_at.into_iter().chain(ends_at).min();
        if ended.is_empty() {
            reload.standing = Some(standing);
            return Ok(());
        }
        let compiled = spawn_blocking(move || (standing.engine(), standing)).await;
        let Ok((Some(engine), standing)) = compiled else {
            let title =
                "Exceptions have ended, and the rules in force cannot be built without them";
            let notice = load_failed(reload.known, title, format!("they go on: {ended:?}"));
            self.site.alarms.raise(notice);
            return Ok(());
        };
        reload.standing = Some(standing);
        self.in_force.replace(engine, &self.intake).await?;
        tracing::warn!(
            ?ended,
            "exceptions have ended; the rules in force go on without them"
        );
        Ok(())
    }

    fn refused(&self, found: Fingerprint, errors: usize, mut diagnostics: String) {
        if diagnostics.len() > SHOWN_BYTES_MAX {
            let cut = diagnostics.floor_char_boundary(SHOWN_BYTES_MAX);
            diagnostics.truncate(cut);
            diagnostics.push_str("… more in the log\n");
        }
        let note = format!(
            "the rules were read again and refused, those in force stay until every error is mended, \
                 also what the start has skipped:\n{diagnostics}"
        );
        let title = "The rules were read again and refused: those in force stay";
        let notice = load_failed(found, title, note.clone());
        self.site.alarms.raise(notice.with_label("errors", &errors));
        self.site.health.note(PART, Some(note));
        let now = self.site.clock.now();
        self.site.metrics.rules_read(Outcome::Refused, now);
    }
}

/// What is said of rules that cannot be loaded or honoured. The files that say so are what it is about:
/// they are the same after a restart.
pub fn load_failed(found: Fingerprint, title: &str, description: impl Into<String>) -> Notice {
    let mut bucket = [0; 8];
    bucket.copy_from_slice(&found.0.as_bytes()[..8]);
    let about = (RULES, i64::from_le_bytes(bucket));
    Notice::new(Kind::RuleLoadFailed, about, title, description)
}

fn every(period: Duration) -> Interval {
    let mut interval = interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn tick(interval: Option<&mut Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => pending().await,
    }
}

/// Waits until somebody asks, then until nobody has asked for a moment.
async fn asked(reload: Option<&mut Reload>) -> Cause {
    let Some(reload) = reload else {
        return pending().await;
    };
    let Some(mut trigger) = reload.triggers.recv().await else {
        return pending().await;
    };
    let mut cause = Cause::of(trigger);
    let latest = Instant::now() + DISTURBED_MAX;
    while Instant::now() < latest {
        match timeout(QUIET, reload.triggers.recv()).await {
            Ok(Some(next)) => trigger = next,
            Ok(None) | Err(_) => break,
        }
        cause = cause.or(Cause::of(trigger));
    }
    cause
}

impl Cause {
    fn of(trigger: Trigger) -> Self {
        match trigger {
            Trigger::Files => Self::Look,
            Trigger::Signal => Self::Load,
        }
    }

    fn or(self, other: Self) -> Self {
        if self == Self::Load { self } else { other }
    }
}
