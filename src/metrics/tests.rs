use super::*;
use crate::page;
use crate::topology::stage::Outcome;

fn value(text: &str, series: &str) -> Option<String> {
    text.lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
        .map(str::to_owned)
}

#[test]
fn the_page_of_metrics_is_up_to_date() {
    page::compare("docs/metrics.md", &reference());
}

#[test]
fn names_follow_the_conventions() {
    for row in table::ROWS {
        assert!(row.name.starts_with("palisade_"), "{}", row.name);
        assert_eq!(
            row.kind == "counter",
            row.name.ends_with("_total"),
            "{}",
            row.name
        );
        assert!(row.help.trim().ends_with('.'), "{}", row.name);
    }
}

#[test]
fn categories_beyond_the_limit_and_unstated_ones_are_counted_together() {
    let metrics = Metrics::default();
    let mut tally = metrics.tally();
    for number in 0..CATEGORY_SERIES_MAX + 50 {
        let mut outcome = Outcome::default();
        outcome.unknown.insert(format!("Category{number}"), 1);
        tally.outcome(&outcome);
        if number % 100 == 0 {
            metrics.add(&mut tally);
        }
    }
    let mut unstated = Outcome::default();
    unstated.unknown.insert(String::new(), 2);
    tally.outcome(&unstated);
    metrics.add(&mut tally);
    // Nothing is left to be counted twice.
    metrics.add(&mut tally);
    let text = metrics.render();
    let series = text
        .lines()
        .filter(|line| line.starts_with("palisade_unknown_events_total{"));
    assert_eq!(series.count(), CATEGORY_SERIES_MAX + 1);
    let other = value(&text, "palisade_unknown_events_total{category=\"other\"}");
    assert_eq!(other.as_deref(), Some("52"));
}

#[test]
fn due_alerts_are_the_sum_of_their_fates() {
    let metrics = Metrics::default();
    let (end, receiver) = watch::channel(1);
    metrics.follow_alerts(receiver);
    metrics.sink_started("file", 3);
    end.send_replace(13);
    metrics.sink_delivered("file", 4);
    metrics.sink_parked("file", 1);
    metrics.sink_cursor("file", 8);
    let text = metrics.render();
    assert_eq!(
        value(&text, "palisade_sink_due_alerts{sink=\"file\"}").as_deref(),
        Some("10")
    );
    assert_eq!(
        value(&text, "palisade_sink_pending_alerts{sink=\"file\"}").as_deref(),
        Some("5")
    );
}

#[test]
fn records_are_in_flight_until_they_are_finished() {
    let metrics = Metrics::default();
    for _ in 0..5 {
        metrics.records("hub", 1, 10);
    }
    metrics.records_finished("hub", 2, 1);
    let text = metrics.render();
    assert_eq!(
        value(&text, "palisade_records_in_flight{source=\"hub\"}").as_deref(),
        Some("2")
    );
    assert_eq!(
        value(&text, "palisade_bytes_total{source=\"hub\"}").as_deref(),
        Some("50")
    );
}
