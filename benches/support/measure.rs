//! What is measured of a process and of the machine, and how a list of figures is shown.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// Clock ticks of `/proc/PID/stat` in a second; fixed at 100 on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Highest resident memory of a running process so far, in MiB.
pub(crate) fn peak_mib(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

/// Processor time that a running process has used, user and system, in seconds.
pub(crate) fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    // The process's name was field 2; `utime` and `stime` are 14 and 15.
    let ticks: f64 = fields
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    Some(ticks / TICKS_PER_SECOND)
}

/// Processor time of the children of this process that have ended, user and system, in seconds.
pub(crate) fn children_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux has it");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
    let ticks: f64 = fields
        .split(' ')
        .skip(13)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    ticks / TICKS_PER_SECOND
}

/// Processor seconds of a running process by what its threads are called, without their numbers.
pub(crate) fn seconds_by_thread(pid: u32) -> BTreeMap<String, f64> {
    let mut seconds = BTreeMap::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
    {
        let Ok(task) = task else { continue };
        let read = |name| fs::read_to_string(task.path().join(name));
        let (Ok(name), Ok(stat)) = (read("comm"), read("schedstat")) else {
            continue;
        };
        let nanos = stat
            .split(' ')
            .next()
            .and_then(|nanos| nanos.parse::<f64>().ok());
        let name = name
            .trim()
            .trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
        *seconds.entry(name.to_owned()).or_default() += nanos.unwrap_or_default() / 1e9;
    }
    seconds
}

/// Processor, cores, memory, kernel: what a number must be read with.
pub(crate) fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu_info = read("/proc/cpuinfo");
    let model = cpu_info
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let memory_info = read("/proc/meminfo");
    let memory_kib: f64 = memory_info
        .split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!(
        "{model}, {cores} cores, {:.1} GiB, Linux {}",
        memory_kib / 1024.0 / 1024.0,
        kernel.trim()
    )
}

/// Figures of repeated runs.
#[derive(Default)]
pub(crate) struct Figures(Vec<f64>);

impl Figures {
    /// One more.
    pub(crate) fn push(&mut self, figure: f64) {
        self.0.push(figure);
        self.0.sort_by(f64::total_cmp);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The figure below which `percent` of all lie, by nearest rank.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or(f64::NAN)
    }

    /// Lowest, middle, highest.
    pub(crate) fn spread(&self) -> [f64; 3] {
        [
            self.percentile(0),
            self.percentile(50),
            self.percentile(100),
        ]
    }
}

/// `number` as a figure.
pub(crate) fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::NAN, f64::from)
}

/// `number` per second.
pub(crate) fn per_second(number: usize, time: Duration) -> f64 {
    count(number) / time.as_secs_f64()
}
