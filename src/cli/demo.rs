//! `palisade demo`: a recorded attack through every stage.

use std::io::Write as _;

use anyhow::Context as _;
use tokio::sync::mpsc;

use super::Terminal;
use crate::clock::Clock;
use crate::demo;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  palisade demo
  palisade demo --color always | less -R

Needs nothing but the program itself; the state lives in a temporary directory and goes with it.";

/// Options of `demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {}

/// Plays the attack and ends by itself.
///
/// # Errors
/// When a stage fails, which is a defect.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let Args {} = args;
    let clock = Clock::start();
    let dir = tempfile::Builder::new()
        .prefix("palisade-demo-")
        .tempdir()
        .context("a temporary directory cannot be made")?;
    let runtime = tokio::runtime::Runtime::new().context("the runtime cannot be started")?;
    let played = runtime.block_on(async {
        let (say, signals) = mpsc::channel(1);
        // An impatient person gets what there is, and the directory goes all the same.
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() && say.send(()).await.is_ok() {}
        });
        demo::play(dir.path(), signals).await
    });
    // Tasks hold the log until the runtime is gone.
    drop(runtime);
    dir.close()
        .context("the temporary directory cannot be removed")?;
    let text = demo::report::text(&played?, clock.elapsed(), terminal.stdout);
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Ok)
}
