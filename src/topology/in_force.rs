//! The rules in force, and how others take their place while records come in.
//!
//! What the folds need of a correlation is stored before the log names it, then a `Settings` record
//! puts it in force, then the judges get the new rules: each takes them between two batches. A
//! correlation that means something else now is evaluated in its old version, too, until no window
//! that holds an event from before the change can still be completed: all that was judged by the old
//! rules alone had an append time of at most the *activation*, so its windows end a timespan later,
//! and what may still arrive for them has come when all sources have passed that by the lateness.
//! Where the log does not say yet what the activation was, the process was killed in between: then it
//! is the newest time that the log names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use palisade_detect::alert::SINGLE;
use palisade_detect::correlation::{CorrelationDef, Definitions};
use palisade_detect::engine::{CLAMP_AFTER, Engine};
use palisade_detect::id::Id;
use palisade_detect::matches::{self, Body, Record, Settings};
use palisade_detect::time::{Span, Timestamp};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::appender::Ticks;
use super::fold::{self, FoldError, Folds, Suppression};
use super::inventory::{self, Change, Changes, Inventory};
use super::operational::{self, Kind, Notice};
use super::{Site, intake::Intake};
use crate::log::sqlite::SqliteLog;
use crate::log::{Append, BROADCAST, Log, Stream};

/// Prefix of the facts that hold what correlations were compiled from, each under its version.
const BODIES: &str = "bodies/";

/// Most replaced versions that are evaluated at a time; each costs a look at every event. The windows
/// of further ones begin anew.
pub const REPLACED_MAX: usize = 500;

/// The activation is not known yet.
const UNKNOWN: i64 = i64::MAX;

/// How rules are put in force.
pub struct Context {
    /// The log.
    pub log: Arc<SqliteLog>,
    /// Whether correlations are silent for a while after they fired.
    pub suppression: Suppression,
    /// Allowed lateness of all correlations; `None`: each one's own.
    pub lateness: Option<Span>,
    /// Clock and metrics.
    pub site: Site,
}

/// The rules in force.
pub struct InForce {
    context: Context,
    /// The rules as loaded.
    engine: Arc<Engine>,
    inventory: Inventory,
    settings: Settings,
    /// Newest append time that the log named at the start.
    newest: Timestamp,
    definitions: watch::Sender<Arc<Definitions>>,
    judges: watch::Sender<Arc<Engine>>,
    ticks: watch::Sender<Ticks>,
}

impl InForce {
    /// Puts the rules of a start in force, behind what the folds have read. Versions that were in
    /// force before and mean something else now go on as they would have without the restart.
    ///
    /// # Errors
    /// When the log is lost to this process.
    pub async fn begin(
        context: Context,
        engine: Arc<Engine>,
        folds: &Folds,
    ) -> Result<Self, FoldError> {
        let inventory = Inventory::of(&engine);
        let previous = folds.settings().cloned().unwrap_or_default();
        let mut this = Self {
            context,
            inventory,
            settings: previous,
            newest: folds.newest().unwrap_or(Timestamp::MIN),
            definitions: folds.definitions(),
            judges: watch::Sender::new(Arc::clone(&engine)),
            ticks: watch::Sender::new(Ticks::Off),
            engine,
        };
        this.store().await?;
        let (judging, mut settings) = this.succession(Timestamp::MIN).await?;
        this.settle(&mut settings, this.newest);
        let before = &this.settings.rule_set;
        let changed = !before.is_empty() && *before != settings.rule_set;
        if folds.settings() != Some(&settings) {
            let said = changed.then_some(Change::Unknown);
            this.append(settings, said).await?;
        }
        this.judge_by(judging);
        Ok(this)
    }

    /// What judges follow.
    pub fn engine(&self) -> watch::Receiver<Arc<Engine>> {
        self.judges.subscribe()
    }

    /// What the appender follows.
    pub fn ticks(&self) -> watch::Receiver<Ticks> {
        self.ticks.subscribe()
    }

    /// Whether the rules of an engine are those in force, to the last title.
    pub fn is_same(&self, engine: &Engine) -> bool {
        Inventory::of(engine) == self.inventory
    }

    /// Puts other rules in force; says what is different.
    ///
    /// # Errors
    /// When the log is lost to this process.
    pub async fn replace(&mut self, engine: Engine, intake: &Intake) -> Result<Changes, FoldError> {
        let inventory = Inventory::of(&engine);
        let changes = self.inventory.changes(&inventory);
        self.engine = Arc::new(engine);
        self.inventory = inventory;
        self.store().await?;
        let (judging, settings) = self.succession(Timestamp::MIN).await?;
        if settings != self.settings {
            let said = (!changes.is_empty()).then_some(Change::Known(&changes));
            self.append(settings, said).await?;
        }
        self.judge_by(judging);
        // Whatever a judge still has in hand was taken before now.
        let mut settings = self.settings.clone();
        let read = intake.newest().unwrap_or(Timestamp::MIN);
        let activation = read.max(self.newest);
        self.settle(&mut settings, activation);
        if settings != self.settings {
            self.append(settings, None).await?;
        }
        Ok(changes)
    }

    /// Lets go of replaced versions whose windows have all passed.
    ///
    /// # Errors
    /// When the log is lost to this process.
    pub async fn passed(&mut self, time: Timestamp) -> Result<(), FoldError> {
        if self.settings.retire_at.iter().any(|at| is_over(*at, time)) {
            let (judging, settings) = self.succession(time).await?;
            let gone = self
                .settings
                .active
                .len()
                .saturating_sub(settings.active.len());
            tracing::info!(
                correlations = gone,
                "the windows of replaced correlations have passed"
            );
            self.append(settings, None).await?;
            self.judge_by(judging);
        }
        Ok(())
    }

    /// Versions that are evaluated although newer ones have replaced them.
    pub fn replaced(&self) -> usize {
        self.settings
            .retire_at
            .iter()
            .filter(|at| **at != 0)
            .count()
    }

    /// Stores the correlations and what they are compiled from, and tells the folds.
    async fn store(&self) -> Result<(), FoldError> {
        let log = &*self.context.log;
        let mut definitions = Definitions::clone(&self.definitions.borrow());
        let correlations = self.engine.correlations();
        fold::store_definitions(log, correlations, &mut definitions).await?;
        for def in correlations {
            let key = format!("{BODIES}{}", def.version);
            if let Some(body) = self.engine.body(def.version)
                && log.facts(&key).await?.is_empty()
            {
                log.put_fact(&key, Bytes::copy_from_slice(body)).await?;
            }
        }
        self.definitions.send_replace(Arc::new(definitions));
        Ok(())
    }

    /// The engine that judges from here on and the settings that go with it: the rules as loaded, and
    /// what goes on beside them once all sources have `passed` a time.
    async fn succession(&self, passed: Timestamp) -> Result<(Engine, Settings), FoldError> {
        let definitions = Arc::clone(&self.definitions.borrow());
        let going_on = going_on((&self.settings, passed), &self.engine, &definitions);
        let mut bodies = Vec::new();
        for version in going_on.keys() {
            let facts = self
                .context
                .log
                .facts(&format!("{BODIES}{version}"))
                .await?;
            bodies.extend(facts.into_iter().map(|(_, body)| body));
        }
        let own = self.engine.correlations().iter().map(|def| def.version);
        let wanted: BTreeSet<Id> = going_on.keys().copied().chain(own).collect();
        let judging = self.beside(bodies, wanted).await;
        let mut settings = fold::settings(self.engine.correlations(), self.context.suppression);
        if let Some(lateness) = self.context.lateness {
            settings.lateness.fill(lateness.ticks());
        }
        settings.retire_at = vec![0; settings.active.len()];
        settings.rule_set = self.inventory.digest().as_bytes().to_vec();
        for (version, (lateness, retire_at)) in going_on {
            if judging.gives(version) {
                add(&mut settings, version, (lateness, retire_at));
            } else {
                let correlation = definitions.get(&version).map_or("", |def| &*def.id);
                self.context
                    .site
                    .alarms
                    .raise(version_missing(correlation, version));
            }
        }
        Ok((judging, settings))
    }

    /// The rules as loaded with others beside them; compiled where that keeps nobody waiting.
    async fn beside(&self, bodies: Vec<Bytes>, wanted: BTreeSet<Id>) -> Engine {
        let engine = Arc::clone(&self.engine);
        let compiled = spawn_blocking(move || {
            let bodies: Vec<&[u8]> = bodies.iter().map(AsRef::as_ref).collect();
            engine.beside(&bodies, &wanted)
        });
        compiled.await.unwrap_or_else(|_| {
            tracing::error!("compiling replaced correlations panicked; please report it");
            self.engine.beside(&[], &BTreeSet::new())
        })
    }

    /// Says of each replaced version when it goes, where that is not known yet.
    fn settle(&self, settings: &mut Settings, activation: Timestamp) {
        let definitions = self.definitions.borrow();
        let mut ends: BTreeMap<Id, i64> = BTreeMap::new();
        for ((version, lateness), at) in entries(settings) {
            let Some(def) = definitions.get(&version).filter(|_| at == UNKNOWN) else {
                continue;
            };
            let lateness = Span::from_ticks(lateness);
            let end = activation
                .plus(CLAMP_AFTER)
                .plus(def.timespan)
                .plus(lateness);
            ends.insert(version, end.ticks());
        }
        // One that feeds another is needed for as long as that.
        while let Some((inner, end)) = ends.iter().find_map(|(version, end)| {
            let outer = definitions.get(version)?.outer.iter();
            let latest = outer.filter_map(|(outer, _)| ends.get(outer)).max()?;
            (latest > end).then_some((*version, *latest))
        }) {
            ends.insert(inner, end);
        }
        for (version, at) in settings.active.iter().zip(&mut settings.retire_at) {
            let end = id(version).and_then(|version| ends.get(&version));
            *at = end.copied().unwrap_or(*at);
        }
    }

    /// Appends settings, and what they change about the rules.
    async fn append(
        &mut self,
        settings: Settings,
        change: Option<Change<'_>>,
    ) -> Result<(), FoldError> {
        let log = &*self.context.log;
        let record = Record::new(Body::Settings(settings.clone()));
        let mut step = Append {
            matches: vec![(BROADCAST, Bytes::from(matches::encode(&record)))],
            ..Append::default()
        };
        if let Some(change) = change {
            let bucket = log.bounds(Stream::Matches).await?.end;
            let notice = inventory::notice(change, self.inventory.digest(), bucket);
            let alert = self.context.site.alarms.alert(notice);
            step.alerts.push(operational::row(alert));
        }
        log.append(step).await?;
        self.settings = settings;
        Ok(())
    }

    /// Gives the judges other rules.
    fn judge_by(&self, engine: Engine) {
        let definitions = self.definitions.borrow();
        let active = self
            .settings
            .active
            .iter()
            .filter_map(|version| id(version));
        let timespans = active.filter_map(|version| Some(definitions.get(&version)?.timespan));
        let longest = timespans.max().unwrap_or(Span::ZERO);
        let micros = u64::try_from(longest.ticks() / 10).unwrap_or(0);
        let log = &self.context.log;
        log.keep_matches_for(Duration::from_micros(micros));
        let ticks = Ticks::for_correlations(self.settings.active.len());
        self.ticks.send_replace(ticks);
        self.judges.send_replace(Arc::new(engine));
    }
}

fn version_missing(correlation: &str, version: Id) -> Notice {
    let mut bucket = [0; 8];
    bucket.copy_from_slice(&version.as_bytes()[..8]);
    Notice::new(
        Kind::RuleVersionMissing,
        (
            format!("correlation {correlation}"),
            i64::from_le_bytes(bucket),
        ),
        format!("What correlation `{correlation}` was before its change is not known any more"),
        "its windows begin anew: what was counted before the change is not counted on",
    )
    .with_label("version", &version)
}

/// Versions of `previous` that go on beside the correlations of `engine`, with their lateness and the
/// time at which they go: those of correlations that are still there and mean something else, and what
/// feeds them. A correlation that was taken out stops at once, and so does what only holds back the
/// repeats of a rule: it has no windows.
fn going_on(
    (previous, passed): (&Settings, Timestamp),
    engine: &Engine,
    definitions: &Definitions,
) -> BTreeMap<Id, (i64, i64)> {
    let own: BTreeSet<Id> = engine
        .correlations()
        .iter()
        .map(|def| def.version)
        .collect();
    let ids: BTreeSet<&str> = engine.correlations().iter().map(|def| &*def.id).collect();
    let mut candidates: BTreeMap<Id, (&CorrelationDef, i64, i64)> = BTreeMap::new();
    for ((version, lateness), at) in entries(previous) {
        let known = definitions.get(&version).filter(|_| !is_over(at, passed));
        if let Some(def) = known.filter(|def| !own.contains(&version) && def.rule.kind != SINGLE) {
            let at = if at == 0 { UNKNOWN } else { at };
            candidates.insert(version, (def, lateness, at));
        }
    }
    let mut kept: BTreeSet<Id> = BTreeSet::new();
    loop {
        let needed = candidates.iter().find(|(version, (def, ..))| {
            let feeds = || def.outer.iter().any(|(outer, _)| kept.contains(outer));
            !kept.contains(version) && (ids.contains(&*def.id) || feeds())
        });
        match needed {
            Some((version, _)) if kept.len() < REPLACED_MAX => kept.insert(*version),
            Some(_) => {
                tracing::warn!(
                    limit = REPLACED_MAX,
                    "too many correlations were replaced; the windows of some begin anew"
                );
                break;
            }
            None => break,
        };
    }
    candidates.retain(|version, _| kept.contains(version));
    let parts = |(version, (_, lateness, at))| (version, (lateness, at));
    candidates.into_iter().map(parts).collect()
}

/// Whether a version that goes at a time has gone when all sources have `passed` another.
fn is_over(at: i64, passed: Timestamp) -> bool {
    at != 0 && at <= passed.ticks()
}

/// The versions of settings, each with its lateness and the time at which it goes.
fn entries(settings: &Settings) -> impl Iterator<Item = ((Id, i64), i64)> {
    let retire_at = settings
        .retire_at
        .iter()
        .copied()
        .chain(std::iter::repeat(0));
    let active = settings
        .active
        .iter()
        .zip(&settings.lateness)
        .zip(retire_at);
    active.filter_map(|((version, lateness), at)| Some(((id(version)?, *lateness), at)))
}

fn id(version: &[u8]) -> Option<Id> {
    <[u8; 16]>::try_from(version).ok().map(Id::from_bytes)
}

/// Adds a version to settings, in its place.
fn add(settings: &mut Settings, version: Id, (lateness, retire_at): (i64, i64)) {
    let bytes = version.as_bytes().to_vec();
    if let Err(place) = settings.active.binary_search(&bytes) {
        settings.active.insert(place, bytes);
        settings.lateness.insert(place, lateness);
        settings.retire_at.insert(place, retire_at);
    }
}
