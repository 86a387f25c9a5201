//! The demo's recording, moved to yesterday.

use palisade::clock::Clock;
use palisade_detect::time::Span;

/// The demo's envelopes as if they were a day old. Times that are far off would be replaced by the
/// broker's, which are the same for records of one batch: arrival would then decide what came first.
pub fn records() -> Vec<Option<Vec<u8>>> {
    let yesterday = Clock::start()
        .now()
        .minus(Span::from_seconds(24 * 3600))
        .to_string();
    let (date, _) = yesterday.split_once('T').expect("RFC 3339");
    let [year, month, day] = date.split('-').collect::<Vec<_>>()[..] else {
        panic!("a date")
    };
    let text = include_str!("../../src/demo/attack.ndjson")
        .replace("2026-03-02T", &format!("{date}T"))
        .replace("3/2/2026 ", &format!("{month}/{day}/{year} "));
    text.lines()
        .map(|line| Some(line.as_bytes().to_vec()))
        .collect()
}
