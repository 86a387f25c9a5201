//! The table of log types: one row each.

use palisade_detect::event::LogType;
use palisade_detect::time::Span;

/// An event of no known type: it states no log source, so no rule is pruned for it.
pub static UNKNOWN: LogType = LogType {
    name: "unknown",
    logsources: &[],
    event_time: &["time", "TimeGenerated", "timestamp", "timeStamp"],
    entities: &[],
    readings: &[],
    content_key: None,
    lateness: Span::from_seconds(120),
};
