//! `palisade run`: judge live logs and deliver alerts until SIGTERM.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use palisade_detect::engine::Engine;
use palisade_detect::time::{Span, Timestamp};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::{ConfigFile, Terminal, load_config};
use crate::admin::Admin;
use crate::config::{Config, LogFormat, OnRuleError};
use crate::exit::Exit;
use crate::rules::Standing;
use crate::telemetry::{self, Form};
use crate::topology::Site;
use crate::topology::build::{self, Stdout};
use crate::topology::operational::Kind;
use crate::topology::reload::{self, Files as _, Fingerprint, Reload, Trigger};
use crate::watch::RuleFiles;

const EXAMPLES: &str = "\
Examples:
  palisade run -c palisade.yaml
  PALISADE_HTTP_LISTEN=0.0.0.0:9600 palisade run -c /etc/palisade/palisade.yaml

SIGTERM or Ctrl-C drains and exits 0; a second one exits at once. SIGHUP reads the rules again, as a
change of their files does; the configuration stays as it was at the start. A second process on the same state
directory exits 75 and says who holds it.";

/// Name of the whole in the list of parts.
const TOPOLOGY: &str = "topology";

/// Most triggers that wait; more say nothing new.
const TRIGGERS_MAX: usize = 16;

/// How long threads that still block may take after the end; what they do is no longer needed.
const LEAVE: Duration = Duration::from_secs(1);

/// Options of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// Runs until a signal or the end of all inputs.
///
/// # Errors
/// When the configuration cannot be used or a promise can no longer be kept.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let config = load_config(&args.config.config, terminal)?.config;
    start_log(&config)?;
    let site = Site::default();
    let files = RuleFiles::of(&config);
    // Before the rules are read: what changes meanwhile is seen later.
    let known = files.fingerprint();
    let rules = files.load(site.clock.now());
    let refused = config.rules.on_error == OnRuleError::Refuse && rules.skipped > 0;
    if refused || rules.engine.is_none() {
        io::stderr().write_all(rules.findings.render(terminal.stderr).as_bytes())?;
    }
    if refused {
        let skipped = rules.skipped_text().unwrap_or_default();
        let error = anyhow!("`on_rule_error: refuse` starts nothing: {skipped}");
        return Err(error.context(Exit::Usage));
    }
    rules.report(&site.metrics, &site.health);
    if let Some(text) = rules.skipped_text() {
        let title = "Rules cannot be honoured and detect nothing";
        let notice = reload::load_failed(known, title, text);
        site.alarms
            .raise(notice.with_label("skipped", &rules.skipped));
    }
    let engine = rules.engine.ok_or_else(|| {
        anyhow!("a processing pipeline does not load, and without it no rule means what it says")
            .context(Exit::Usage)
    })?;
    let stdout = if terminal.stdout_is_terminal {
        Stdout::Terminal(terminal.stdout)
    } else {
        Stdout::Pipe
    };
    let runtime = Runtime::new().context("the runtime cannot start")?;
    let started = Started {
        engine,
        files,
        known,
        changes_at: rules.changes_at,
        standing: rules.standing,
    };
    let ended = runtime.block_on(run(&config, started, stdout, site));
    runtime.shutdown_timeout(LEAVE);
    ended.map(|()| Exit::Ok)
}

fn start_log(config: &Config) -> anyhow::Result<()> {
    let form = match config.log.format {
        LogFormat::Pretty => Form::Pretty,
        LogFormat::Json => Form::Json,
    };
    telemetry::init(form, &config.log.level).context(Exit::Usage)?;
    if let Err(error) = telemetry::forbid_core_dumps() {
        tracing::warn!(%error, "core dumps cannot be switched off");
    }
    Ok(())
}

/// The rules at the start.
struct Started {
    engine: Engine,
    files: RuleFiles,
    known: Fingerprint,
    changes_at: Option<Timestamp>,
    standing: Option<Standing>,
}

async fn run(config: &Config, started: Started, stdout: Stdout, site: Site) -> anyhow::Result<()> {
    let signals = signals().context("signals cannot be received")?;
    let (say, triggers) = mpsc::channel(TRIGGERS_MAX);
    hang_ups(say.clone()).context("signals cannot be received")?;
    let (health, metrics) = (site.health.clone(), site.metrics.clone());
    // The state comes first: whoever starts a second process must learn who holds it.
    let mut parts = build::build(config, started.engine, stdout, site)
        .await
        .map_err(|error| {
            let exit = build::exit(&error);
            tell(exit);
            anyhow::Error::new(error).context(exit)
        })?;
    // Dropped at the end of the run: no events come any more.
    let _watcher = config
        .reload
        .events
        .then(|| started.files.watch(say))
        .flatten();
    parts.reload = Some(Reload {
        files: Arc::new(started.files),
        known: started.known,
        accepted: started.known,
        triggers,
        poll: config.reload.poll.map(duration),
        changes_at: started.changes_at,
        standing: started.standing,
    });
    health.not_ready(TOPOLOGY, "starting");
    let server = Admin {
        health: health.clone(),
        metrics,
    }
    .start(config.http_listen)
    .with_context(|| format!("`http.listen: {}` cannot be bound", config.http_listen))?;
    tracing::info!(address = %server.address(), "metrics and health");
    let failed = |failure: crate::topology::shutdown::Failure| {
        let exit = failure.exit();
        tell(exit);
        anyhow::Error::new(failure).context(exit)
    };
    let running = parts.start().await.map_err(failed)?;
    health.ready(TOPOLOGY);
    tracing::info!(state = %config.state.dir.display(), "running");
    running.run(signals).await.map_err(failed)
}

/// Says where the runbook has what to do about an end that no alert can tell of: the state cannot be
/// written any more.
fn tell(exit: Exit) {
    let kind = match exit {
        Exit::Held => Kind::SecondInstance,
        Exit::StateGap => Kind::StateGap,
        _ => return,
    };
    let (problem, runbook) = (kind.as_str(), kind.runbook());
    tracing::error!(problem, runbook, "{exit}");
}

fn duration(span: Span) -> Duration {
    Duration::from_micros(u64::try_from(span.ticks() / 10).unwrap_or(0))
}

/// Asks for the rules to be read again at each SIGHUP.
fn hang_ups(say: mpsc::Sender<Trigger>) -> io::Result<()> {
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hang_up.recv().await.is_some() {
            tracing::info!("SIGHUP: reading the rules again; the configuration is not read again");
            if say.send(Trigger::Signal).await.is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// One message for each SIGTERM and SIGINT; the second one is the last that matters.
fn signals() -> io::Result<mpsc::Receiver<()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (say, signals) = mpsc::channel(2);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if say.send(()).await.is_err() {
                return;
            }
        }
    });
    Ok(signals)
}
