//! RSigma's correlation engine. What is timed is the correlating alone: events are parsed and judged before.

use anyhow::anyhow;
use rsigma_eval::{CorrelationConfig, CorrelationEngine, JsonEvent, ProcessResultExt as _};
use serde_json::Value;

use crate::clock::Watch;
use crate::heap;
use crate::input::{BEGIN, Kind, Shape, TIMESPAN};
use crate::outcome::Outcome;

/// Most keys that RSigma may hold; its default of 100,000 would make it forget.
const KEYS_MAX: usize = 20_000_000;

fn rules(kind: Kind) -> String {
    let detection = |name: &str, result: &str| {
        format!(
            "title: {name}\nid: {name}\nname: {name}\nlogsource: {{product: azure}}\n\
             detection:\n  sel: {{resultType: '{result}'}}\n  condition: sel\n---\n"
        )
    };
    let (listed, condition) = match kind {
        Kind::EventCount => ("failed", "    condition: {gte: 10}\n"),
        Kind::ValueCount => (
            "failed",
            "    condition: {field: properties.userPrincipalName, gte: 10}\n",
        ),
        Kind::Temporal => ("failed, good", "    condition: {gte: 2}\n"),
        Kind::TemporalOrdered => ("failed, good", ""),
    };
    let name = kind.name();
    let by = match kind {
        Kind::ValueCount => "callerIpAddress",
        _ => "properties.userPrincipalName",
    };
    format!(
        "{}{}title: c\nid: c\ncorrelation:\n    type: {name}\n    rules: [{listed}]\n    \
         group-by: [{by}]\n    timespan: {TIMESPAN}s\n{condition}",
        detection("failed", "50126"),
        detection("good", "0"),
    )
}

/// Lets RSigma correlate the events of `shape`.
///
/// # Errors
/// When it does not take the rules.
pub(crate) fn run(shape: Shape) -> anyhow::Result<Outcome> {
    let rules = rsigma_parser::parse_sigma_yaml(&rules(shape.kind)).map_err(|e| anyhow!("{e}"))?;
    let mut engine = CorrelationEngine::new(CorrelationConfig {
        max_state_entries: KEYS_MAX,
        suppress: Some(TIMESPAN),
        emit_detections: false,
        ..CorrelationConfig::default()
    });
    engine.add_collection(&rules).map_err(|e| anyhow!("{e}"))?;
    let mut watch = Watch::default();
    let mut outcome = Outcome::default();
    for block in shape.blocks() {
        let values: Vec<Value> = block
            .iter()
            .map(|event| serde_json::from_str(&event.json(shape.kind)))
            .collect::<Result<_, _>>()?;
        let judged: Vec<_> = values
            .iter()
            .map(|value| engine.evaluate(&JsonEvent::borrow(value)))
            .collect();
        outcome.matches += judged.iter().filter(|found| !found.is_empty()).count() as u64;
        let mut said = Vec::with_capacity(block.len());
        // The engine takes what was found; a copy made below the count leaves it again with the results.
        let ((), grown) = heap::growth(|| {
            let found = judged.clone();
            watch.run(|| {
                for ((event, value), found) in block.iter().zip(&values).zip(found) {
                    let time = i64::try_from(BEGIN + event.at_us / 1_000_000).unwrap_or(i64::MAX);
                    said.push(engine.process_with_detections(
                        &JsonEvent::borrow(value),
                        found,
                        time,
                    ));
                }
            });
            outcome.alerts += said
                .iter()
                .map(|one| one.correlation_count() as u64)
                .sum::<u64>();
            said.clear();
        });
        outcome.heap += grown;
    }
    outcome.seconds = watch.seconds();
    outcome.keys = engine.state_count() as u64;
    Ok(outcome)
}
