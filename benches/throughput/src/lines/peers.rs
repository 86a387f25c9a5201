//! The programs that are measured, and how each is called.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::comparison::Engine;
use crate::generate::Shape;
use crate::measure::Argv;
use crate::replay::replay;

/// The newest RSigma that builds with the pinned toolchain.
const RSIGMA: &str = "0.23.0";

/// Which fields of a record RSigma routes by. A record's own `category` is Azure's and none of Sigma's, so
/// that part is read from a field that no record has.
const ROUTED_BY: &str = "product=product,service=service,category=_none";

/// All programs, ready to run.
pub(super) struct Programs {
    palisade: PathBuf,
    rsigma: PathBuf,
    peers: PathBuf,
    /// What Palisade says of itself.
    pub(super) version: String,
}

impl Programs {
    /// Finds them, and builds what `cache` does not have yet.
    pub(super) fn find(
        palisade: PathBuf,
        rsigma: Option<PathBuf>,
        cache: &Path,
    ) -> anyhow::Result<Self> {
        let told = Command::new(&palisade)
            .arg("--version")
            .output()
            .with_context(|| format!("`{}`", palisade.display()))?;
        let version = String::from_utf8_lossy(&told.stdout).trim().to_owned();
        let rsigma = rsigma.map_or_else(|| install_rsigma(cache), Ok)?;
        Ok(Self {
            palisade,
            rsigma,
            peers: build_peers(cache)?,
            version,
        })
    }

    /// How `engine` is told to judge `file`.
    pub(super) fn command(&self, engine: Engine, rules: &Path, file: &Path) -> Argv {
        let (rules_text, file_text) = (text(rules), text(file));
        match engine {
            Engine::Palisade(_, logsource) | Engine::AllCores(_, logsource) => {
                replay(&self.palisade, logsource, rules, file)
            }
            Engine::Library(_, routed) => self.library("rsigma", routed, [&rules_text, &file_text]),
            Engine::Program(_, routed, shape) => {
                let mut words = vec![
                    "engine",
                    "eval",
                    "--rules",
                    &rules_text,
                    "--quiet",
                    "--output-format",
                    "ndjson",
                ];
                if routed {
                    words.extend(["--logsource-routing", "--logsource-field-map", ROUTED_BY]);
                }
                if shape == Shape::Envelopes {
                    words.extend(["--jsonpath", "$.records[*]"]);
                }
                let events = format!("@{file_text}");
                words.extend(["--event", &events]);
                argv(&self.rsigma, &words)
            }
            Engine::Tape => argv(&self.peers, &["tape", &file_text]),
            Engine::Lines => argv(Path::new("wc"), &["-l", &file_text]),
        }
    }

    /// How RSigma is asked which rule matches which record.
    pub(super) fn pairs(&self, routed: bool, rules: &Path, file: &Path) -> Argv {
        self.library("pairs", routed, [&text(rules), &text(file)])
    }

    fn library(&self, mode: &str, routed: bool, [rules, file]: [&str; 2]) -> Argv {
        let mut words = vec![mode, "--rules", rules, file];
        if routed {
            words.push("--route");
        }
        argv(&self.peers, &words)
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn argv(program: &Path, words: &[&str]) -> Argv {
    let words = words.iter().map(|word| (*word).to_owned());
    std::iter::once(text(program)).chain(words).collect()
}

/// RSigma as a user installs it.
fn install_rsigma(cache: &Path) -> anyhow::Result<PathBuf> {
    let root = cache.join("rsigma");
    let program = root.join("bin/rsigma");
    if !program.exists() {
        anstream::eprintln!("building rsigma {RSIGMA}, once");
        let mut install = Command::new("cargo");
        install
            .args(["install", "rsigma", "--version", RSIGMA, "--locked"])
            .args(["--features", "daachorse-index", "--root"])
            .arg(&root);
        run(&mut install)?;
    }
    Ok(program)
}

/// The peers that are libraries, for the processor at hand: some choose their way when they are compiled.
fn build_peers(cache: &Path) -> anyhow::Result<PathBuf> {
    let target = cache.join("peers");
    let mut build = Command::new("cargo");
    build
        .args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--manifest-path",
        ])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target);
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") {
        build.env("RUSTFLAGS", "-C target-cpu=x86-64-v3");
    }
    run(&mut build)?;
    Ok(target.join("release/peers"))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
