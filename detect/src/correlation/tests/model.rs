//! The fold against a model that keeps everything and evaluates from scratch.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the numbers of a story are small"
)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::rule::Expr;

const SPAN: i64 = 10;
const LATENESS: i64 = 3;

/// One correlation of every kind, some with suppression, some with what more events undo.
pub(super) fn every_kind() -> Vec<CorrelationDef> {
    let bound = |comparison, value: f64| Bounds(vec![(comparison, value)]);
    let rules = TemporalCondition::Expression(Expr::And(vec![
        Expr::Search(0),
        Expr::Or(vec![Expr::Search(1), Expr::Search(2)]),
    ]));
    let range = Bounds(vec![(Comparison::Gte, 2.0), (Comparison::Lte, 3.0)]);
    let kinds = vec![
        DefKind::EventCount(at_least(3.0)),
        DefKind::EventCount(bound(Comparison::Eq, 2.0)),
        DefKind::ValueCount(at_least(3.0)),
        DefKind::ValueCount(bound(Comparison::Lt, 2.0)),
        DefKind::ValueSum(bound(Comparison::Gt, 4.0)),
        DefKind::ValueAvg(bound(Comparison::Neq, 1.5)),
        DefKind::ValuePercentile(75.0, at_least(2.25)),
        DefKind::Temporal(TemporalCondition::All),
        DefKind::Temporal(TemporalCondition::Count(range)),
        DefKind::Temporal(rules),
        DefKind::TemporalOrdered(TemporalCondition::All),
        DefKind::TemporalOrdered(TemporalCondition::Count(at_least(3.0))),
    ];
    let mut defs = Vec::new();
    for (kind, number) in kinds.into_iter().zip(1..) {
        let mut def = def(number, kind, SPAN);
        def.lateness = Span::from_seconds(LATENESS);
        def.suppress = (number % 2 == 1).then(|| Span::from_seconds(SPAN));
        def.outer = vec![(Id::from_bytes([99; 16]), 1)];
        defs.push(def);
    }
    let mut outer = def(99, DefKind::EventCount(at_least(1.0)), SPAN);
    outer.group_by = vec!["user".into()];
    defs.push(outer);
    defs
}

/// Something that happens in the log.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    /// A match of correlation `def` from source `from`.
    Found {
        def: usize,
        from: usize,
        group: usize,
        time: i64,
        rules: Vec<u32>,
        value: Option<i64>,
    },
    /// Everything that source `from` sent since its `back`-th last match comes again.
    Again { from: usize, back: usize },
    /// Both sources have come to here.
    Tick { times: [i64; 2] },
}

fn happening() -> impl Strategy<Value = Happening> {
    let rules = prop::sample::subsequence(vec![0_u32, 1, 2], 1..=3);
    let value = prop::option::of(0_i64..4);
    let found = (0_usize..12, 0_usize..2, 0_usize..2, 0_i64..40, rules, value).prop_map(
        |(def, from, group, time, rules, value)| Happening::Found {
            def,
            from,
            group,
            time,
            rules,
            value,
        },
    );
    prop_oneof![
        20 => found,
        1 => (0_usize..2, 1_usize..8).prop_map(|(from, back)| Happening::Again { from, back }),
        1 => (0_i64..60, 0_i64..60).prop_map(|(a, b)| Happening::Tick { times: [a, b] }),
    ]
}

/// A story: most of it about one correlation, so that windows fill.
pub(super) fn story() -> impl Strategy<Value = Vec<Happening>> {
    (
        0_usize..12,
        prop::collection::vec((happening(), 0..10_u8), 0..40),
    )
        .prop_map(|(focus, happenings)| {
            happenings
                .into_iter()
                .map(|(mut happening, chance)| {
                    if let Happening::Found { def, .. } = &mut happening
                        && chance < 9
                    {
                        *def = focus;
                    }
                    happening
                })
                .collect()
        })
}

/// An element of the model, never forgotten.
#[derive(Debug, Clone)]
struct Seen {
    def: usize,
    group: Vec<u8>,
    time: i64,
    expires: i64,
    rules: Vec<u32>,
    value: Option<i64>,
    event: String,
}

/// What both say: kind, correlation, group, time or window, events.
type Said = (String, BTreeSet<String>);

#[derive(Default)]
struct Model {
    seen: Vec<Seen>,
    positions: BTreeSet<(String, i64)>,
    /// (correlation, group, from, until, expires)
    silences: Vec<(usize, Vec<u8>, i64, i64, i64)>,
    ticks: [Option<i64>; 2],
    low: Option<i64>,
}

impl Model {
    fn tick(&mut self, times: [i64; 2]) {
        for (known, new) in self.ticks.iter_mut().zip(times) {
            *known = Some(known.map_or(new, |known| known.max(new)));
        }
        let low = self.ticks.iter().flatten().min().copied();
        self.low = self.low.max(low);
    }

    fn take(
        &mut self,
        defs: &[CorrelationDef],
        place: usize,
        from: &str,
        found: &Match,
    ) -> Vec<Said> {
        if !self.positions.insert((from.to_owned(), found.offset)) {
            return Vec::new();
        }
        let def = &defs[place];
        let time = found.event_time / 10_000_000;
        let watermark = self.low.map(|low| low - LATENESS);
        let born = watermark.map_or(time, |watermark| watermark.max(time));
        let value = match def.kind {
            DefKind::ValueCount(_) => found.value_hash.cast_signed(),
            _ => found.value_micro,
        };
        self.seen.push(Seen {
            def: place,
            group: found.group_key.clone(),
            time,
            expires: born + SPAN + LATENESS,
            rules: found.base_rules.clone(),
            value: found.has_value.then_some(value),
            event: Id::from_bytes(found.event_id.clone().try_into().unwrap()).to_string(),
        });
        let live: Vec<Seen> = self
            .seen
            .iter()
            .filter(|seen| seen.def == place && seen.group == found.group_key)
            .filter(|seen| watermark.is_none_or(|watermark| seen.expires > watermark))
            .cloned()
            .collect();
        let ends: BTreeSet<i64> = live
            .iter()
            .map(|seen| seen.time)
            .filter(|end| (time..=time + SPAN).contains(end))
            .collect();
        for end in ends {
            let mut window = live.clone();
            window.retain(|seen| (end - SPAN..=end).contains(&seen.time));
            window.sort_by_key(|seen| seen.time);
            if !holds(&def.kind, &window) {
                continue;
            }
            let mut said = vec![(
                format!("{} chained {}", def.id, found.offset),
                BTreeSet::new(),
            )];
            said.extend(self.alert((place, def), found, (end, born), &window));
            return said;
        }
        Vec::new()
    }

    /// The alert on `found`, unless it is held back.
    fn alert(
        &mut self,
        (place, def): (usize, &CorrelationDef),
        found: &Match,
        (end, born): (i64, i64),
        window: &[Seen],
    ) -> Option<Said> {
        let time = found.event_time / 10_000_000;
        let watermark = self.low.map(|low| low - LATENESS);
        let silent = self
            .silences
            .iter()
            .any(|(other, group, from, until, expires)| {
                *other == place
                    && *group == found.group_key
                    && (*from..=*until).contains(&time)
                    && watermark.is_none_or(|watermark| *expires > watermark)
            });
        if def.suppress.is_some() && silent {
            return None;
        }
        let valued = !matches!(
            def.kind,
            DefKind::EventCount(_) | DefKind::Temporal(_) | DefKind::TemporalOrdered(_)
        );
        let own = &self.seen.last()?.event;
        let events = window
            .iter()
            .filter(|seen| !valued || seen.value.is_some() || seen.event == *own)
            .map(|seen| seen.event.clone())
            .collect();
        let said = (format!("{} alert {end} by {own}", def.id), events);
        if def.suppress.is_some() {
            let group = found.group_key.clone();
            self.silences
                .push((place, group, time, time + SPAN, born + SPAN + LATENESS));
        }
        Some(said)
    }
}

fn holds(kind: &DefKind, window: &[Seen]) -> bool {
    let mut values: Vec<i64> = window.iter().filter_map(|seen| seen.value).collect();
    values.sort_unstable();
    let distinct: BTreeSet<i64> = values.iter().copied().collect();
    let met: BTreeSet<u32> = window.iter().flat_map(|seen| seen.rules.clone()).collect();
    let sum = values.iter().sum::<i64>() as f64 / 1e6;
    match kind {
        DefKind::EventCount(bounds) => compare(bounds, Some(window.len() as f64)),
        DefKind::ValueCount(bounds) => compare(bounds, Some(distinct.len() as f64)),
        DefKind::ValueSum(bounds) => compare(bounds, (!values.is_empty()).then_some(sum)),
        DefKind::ValueAvg(bounds) => compare(
            bounds,
            (!values.is_empty()).then(|| sum / values.len() as f64),
        ),
        DefKind::ValuePercentile(percent, bounds) => {
            let value = (!values.is_empty()).then(|| {
                let rank = (values.len() - 1) as f64 * percent / 100.0;
                let (low, high) = (rank.floor() as usize, rank.ceil() as usize);
                let (low, high) = (values[low] as f64 / 1e6, values[high] as f64 / 1e6);
                low + (high - low) * rank.fract()
            });
            compare(bounds, value)
        }
        DefKind::Temporal(condition) => rules_hold(condition, &met),
        DefKind::TemporalOrdered(condition) => {
            let mut want = 0;
            for seen in window {
                if seen.rules.contains(&want) {
                    want += 1;
                }
            }
            want >= 3 && rules_hold(condition, &met)
        }
    }
}

fn rules_hold(condition: &TemporalCondition, met: &BTreeSet<u32>) -> bool {
    match condition {
        TemporalCondition::All => met.len() == 3,
        TemporalCondition::Count(bounds) => compare(bounds, Some(met.len() as f64)),
        // The one expression above.
        TemporalCondition::Expression(_) => met.contains(&0) && met.len() > 1,
    }
}

fn compare(bounds: &Bounds, value: Option<f64>) -> bool {
    let Some(value) = value else { return false };
    bounds.0.iter().all(|(comparison, bound)| {
        let order = value.partial_cmp(bound).unwrap();
        match comparison {
            Comparison::Gt => order.is_gt(),
            Comparison::Gte => order.is_ge(),
            Comparison::Lt => order.is_lt(),
            Comparison::Lte => order.is_le(),
            Comparison::Eq => order.is_eq(),
            Comparison::Neq => order.is_ne(),
        }
    })
}

fn said(defs: &Definitions, out: Vec<Output>, sent: &BTreeMap<Id, i64>) -> Vec<Said> {
    out.into_iter()
        .map(|output| match output {
            Output::Alert(alert) => {
                let group = alert.group.expect("a correlation's alert has its group");
                let end = Timestamp::parse_rfc3339(&group.window_end)
                    .unwrap()
                    .unix_ms()
                    / 1_000;
                let events: BTreeSet<String> = alert
                    .evidence
                    .events
                    .iter()
                    .map(|event| event.event_id.clone())
                    .collect();
                // A trigger without a usable value is shown and not counted.
                let idle = events.len() as u64 - alert.evidence.count;
                assert!(idle <= 1, "{:?}", alert.evidence);
                let own = &alert.evidence.events[0].event_id;
                (format!("{} alert {end} by {own}", alert.rule.id), events)
            }
            Output::Chained(_, found) => {
                let via = found
                    .via
                    .as_ref()
                    .expect("a chained match names its trigger");
                let event = Id::from_bytes(via.event_id.clone().try_into().unwrap());
                let chained = Id::from_bytes(found.event_id.try_into().unwrap());
                let inner = defs.values().find(|def| {
                    crate::id::chained_event_id(&def.id, &found.group_key, event) == chained
                });
                let inner = &inner.expect("its id is made of one correlation's").id;
                (format!("{inner} chained {}", sent[&event]), BTreeSet::new())
            }
        })
        .collect()
}

/// Plays a story to the fold, cutting batches where `cuts` says, and to the model.
fn play(story: &[Happening], cuts: &[bool]) -> (Vec<Said>, Vec<Said>) {
    let defs = every_kind();
    let mut bench = Bench::new(defs.clone());
    let mut model = Model::default();
    let (mut expected, mut actual) = (Vec::new(), Vec::new());
    let mut history: [Vec<(usize, Match)>; 2] = Default::default();
    let mut pending: Vec<Match> = Vec::new();
    let mut pending_from = 0;
    let mut sent = BTreeMap::new();
    let names = ["hub", "bus"];
    for (number, happening) in story.iter().enumerate() {
        let (from, matches) = match happening {
            Happening::Tick { times } => {
                actual.extend(flush(&mut bench, names[pending_from], &mut pending, &sent));
                let marks = names
                    .iter()
                    .zip(times)
                    .map(|(name, time)| mark(name, *time));
                bench.step(&Record::tick(Tick {
                    marks: marks.collect(),
                }));
                model.tick(*times);
                continue;
            }
            Happening::Again { from, back } => {
                let all = &history[*from];
                (*from, all[all.len().saturating_sub(*back)..].to_vec())
            }
            Happening::Found {
                def,
                from,
                group,
                time,
                rules,
                value,
            } => {
                let offset = i64::try_from(number * 2 + from).unwrap();
                let mut found = of_group(&defs[*def], ["kim", "lee"][*group], offset, *time);
                found.base_rules.clone_from(rules);
                found.has_value = value.is_some();
                found.value_hash = value.unwrap_or_default().unsigned_abs();
                found.value_micro = value.unwrap_or_default() * 1_000_000;
                history[*from].push((*def, found.clone()));
                sent.insert(event_id(offset), offset);
                (*from, vec![(*def, found)])
            }
        };
        let again = matches!(happening, Happening::Again { .. });
        if from != pending_from || again || cuts.get(number).copied().unwrap_or_default() {
            actual.extend(flush(&mut bench, names[pending_from], &mut pending, &sent));
            pending_from = from;
        }
        for (def, found) in matches {
            expected.extend(model.take(&defs, def, names[from], &found));
            pending.push(found);
        }
        if again {
            actual.extend(flush(&mut bench, names[pending_from], &mut pending, &sent));
        }
    }
    actual.extend(flush(&mut bench, names[pending_from], &mut pending, &sent));
    (expected, actual)
}

fn flush(
    bench: &mut Bench,
    name: &str,
    pending: &mut Vec<Match>,
    sent: &BTreeMap<Id, i64>,
) -> Vec<Said> {
    if pending.is_empty() {
        return Vec::new();
    }
    let out = bench.send_from(name, std::mem::take(pending));
    said(&bench.definitions, out, sent)
}

proptest! {
    // A failing story is made smaller in at most as many steps as there are cases: proptest's own
    // limit would be minutes.
    #![proptest_config(ProptestConfig {
        cases: 1_500,
        max_shrink_iters: 1_500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Order, ties, late matches, groups, repeats and batching: what the fold says is what a plain
    /// reading of the semantics says.
    #[test]
    fn prop_fold_equals_model(story in story(), cuts in prop::collection::vec(any::<bool>(), 40)) {
        let (expected, actual) = play(&story, &cuts);
        prop_assert_eq!(expected, actual);
    }

    #[test]
    fn prop_batching_does_not_change_the_verdict(story in story(), cuts in prop::collection::vec(any::<bool>(), 40)) {
        prop_assert_eq!(play(&story, &cuts).1, play(&story, &[]).1);
    }
}
