//! What a figure must be read with: processor, cores, memory, kernel, and how busy the machine is.

use std::fmt;
use std::fs;

use serde::Serialize;

/// The machine, as it was when the run began.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    memory_kib: u64,
    kernel: String,
    /// Load average of the last minute: other work on the machine.
    load: String,
}

impl Machine {
    pub(crate) fn now() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        let model = processors
            .lines()
            .find_map(|line| line.strip_prefix("model name"));
        let processor = model
            .and_then(|line| line.split_once(": "))
            .map_or("unknown", |(_, name)| name);
        let memory = read("/proc/meminfo");
        Self {
            processor: processor.to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_kib: memory
                .split_whitespace()
                .nth(1)
                .and_then(|kib| kib.parse().ok())
                .unwrap_or(0),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: read("/proc/loadavg")
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            processor,
            cores,
            memory_kib,
            kernel,
            load,
        } = self;
        let gib = memory_kib >> 20;
        write!(
            out,
            "{processor}, {cores} cores, {gib} GiB, Linux {kernel}, load {load}"
        )
    }
}
