//! What is said of a source partition that has fallen silent while others go on (`T5`).

use palisade_detect::correlation::Stalled;

use crate::topology::operational::{Kind, Notice};

/// Its place and the time at which it was last heard of make the id: the log alone decides both.
pub(super) fn notice(stalled: &Stalled) -> Notice {
    let Stalled {
        source,
        incarnation,
        partition,
        heard,
        since,
    } = stalled;
    let place = partition.map_or_else(
        || "partitions that were never read".to_owned(),
        |partition| format!("partition {partition}"),
    );
    let heard = heard.map_or_else(
        || "nothing of it was ever read".to_owned(),
        |time| format!("it was last read up to {time}"),
    );
    let notice = Notice::new(
        Kind::SourceStalled,
        (
            format!("source {source}, incarnation {incarnation}, {place}"),
            since.ticks(),
        ),
        format!("Source `{source}` has fallen silent: {place}"),
        format!(
            "{heard}, and the others have come an hour further since: correlations no longer wait for \
             it; what comes of it later correlates with what has not expired by then"
        ),
    );
    notice.with_label("source", &source).at(*since)
}
