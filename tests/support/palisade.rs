//! The program under test as a child process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::wait_for;

/// A running `palisade run`; it is killed with this value.
pub struct Palisade {
    process: Option<Child>,
    folder: PathBuf,
}

impl Palisade {
    /// Starts `palisade run` with the configuration `config.yaml` of `folder`.
    pub fn run(folder: &Path) -> Self {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join("palisade.log"))
            .expect("a log file");
        let process = Command::new(env!("CARGO_BIN_EXE_palisade"))
            .current_dir(folder)
            .args(["run", "-c", "config.yaml"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        Self {
            process: Some(process),
            folder: folder.to_owned(),
        }
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("still running").id()
    }

    /// SIGHUP.
    pub fn hang_up(&self) {
        let process = self.process.as_ref().expect("still running");
        let pid = rustix::process::Pid::from_child(process);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).expect("our child");
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.end();
    }

    /// SIGTERM, then waits for the end.
    pub fn terminate(mut self) -> ExitStatus {
        let mut process = self.process.take().expect("still running");
        let pid = rustix::process::Pid::from_child(&process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("our child");
        wait_for("the program to drain", || {
            process.try_wait().expect("our child")
        })
    }

    /// Waits for the program to end by itself.
    pub fn wait(mut self) -> ExitStatus {
        let mut process = self.process.take().expect("still running");
        wait_for("the program to end", || {
            process.try_wait().expect("our child")
        })
    }

    /// Everything it has written to standard error.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("palisade.log")).unwrap_or_default()
    }

    fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("our child");
            process.wait().expect("our child");
        }
    }
}

impl Drop for Palisade {
    fn drop(&mut self) {
        self.end();
    }
}
