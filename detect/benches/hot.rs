//! The hot parts of judging, each by itself: marks of a payload, the walk, all tests of a field, keywords;
//! and what an event costs that has far more members than any has.
//!
//! `cargo bench -p palisade-detect -- NAME` runs one of them, each in a few seconds.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use palisade_detect::engine::{Clamp, Engine, EngineOptions, EventContext, Verdict};
use palisade_detect::event::{Body, EventRef, Index, LogType, Origin, SourcePartition};
use palisade_detect::rule::{RuleFile, parse::parse};
use palisade_detect::scan;
use palisade_detect::time::{Span, Timestamp};

/// A sign-in of the shape that the whole program is measured with, whose values stand in `${…}`.
const TEMPLATE: &str = include_str!("../../benches/data/signin.json");

/// Members of the largest event.
const MEMBERS: usize = 1_000_000;

static LOG_TYPE: LogType = LogType {
    name: "bench",
    logsources: &[],
    event_time: &[],
    entities: &[],
    readings: &[],
    content_key: None,
    lateness: Span::ZERO,
};

/// The sign-in.
fn sign_in() -> String {
    let mut parts = TEMPLATE.split("${");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once('}').expect("a place for a value ends");
        text.push('0');
        text.push_str(rest);
    }
    text
}

/// An engine of one rule with these entries in its selection.
fn engine(selection: &str) -> Engine {
    let text = format!(
        "title: T\nlogsource: {{product: p}}\ndetection:\n  s:\n{selection}  condition: s\n"
    );
    let file = RuleFile {
        name: Arc::from("bench.yml"),
        bytes: text.into_bytes(),
    };
    let (rules, problems) = parse(&[file]);
    assert_eq!(problems, []);
    let (engine, problems) = Engine::compile(rules, EngineOptions::default());
    assert_eq!(problems, []);
    engine
}

/// Judges events, none of which meets the rule.
struct Judge {
    engine: Engine,
    origin: Origin,
    verdict: Verdict,
}

impl Judge {
    fn of(engine: Engine) -> Self {
        let at = SourcePartition {
            source: "bench".into(),
            incarnation: 1,
            partition: 0,
        };
        Self {
            engine,
            origin: Origin {
                tenant: "default".into(),
                at,
                offset: 0,
                index: Index::ROOT,
            },
            verdict: Verdict::default(),
        }
    }

    fn judge(&mut self, event: &[u8]) {
        let event = EventRef {
            body: Body::Json(black_box(event)),
            log_type: &LOG_TYPE,
            logsources: &[],
            event_time: None,
        };
        let context = EventContext {
            origin: &self.origin,
            append_time: Timestamp::from_unix_seconds(1_772_409_600),
            clamp: Clamp::ToAppendTime,
        };
        let judged = self.engine.detect(&event, &context, &mut self.verdict);
        judged.expect("the event is sound");
        assert!(self.verdict.matched.is_empty());
    }
}

/// Words that no event holds.
fn words(count: usize) -> impl Iterator<Item = String> {
    let word = |number: usize| format!("zq{:x}.{:x}", number * 7_919, number * 104_729 % 65_537);
    (0..count).map(word)
}

fn bench_event(c: &mut Criterion, name: &str, engine: Engine) {
    let (mut judge, event) = (Judge::of(engine), sign_in());
    let mut group = c.benchmark_group("judge");
    group.throughput(Throughput::Bytes(event.len() as u64));
    group.bench_function(name, |b| b.iter(|| judge.judge(event.as_bytes())));
    group.finish();
}

fn marks(c: &mut Criterion) {
    let (mut index, event) = (scan::Index::default(), sign_in());
    let mut group = c.benchmark_group("scan");
    group.throughput(Throughput::Bytes(event.len() as u64));
    group.bench_function("index", |b| {
        b.iter(|| {
            index
                .read(black_box(event.as_bytes()))
                .expect("the event is sound");
        });
    });
    group.finish();
}

fn walk(c: &mut Criterion) {
    let selection = "    operationName: nothing\n    properties.status.errorCode: 1\n    \
                     properties.deviceDetail.browser: none\n    resultType: 'x'\n";
    bench_event(c, "walk", engine(selection));
}

fn fields(c: &mut Criterion) {
    let mut selection = String::from("    properties.userAgent|contains:\n");
    for word in words(1_000) {
        writeln!(selection, "      - '{word}'").expect("a String takes all text");
    }
    bench_event(c, "1000 literals of a field", engine(&selection));
}

fn keywords(c: &mut Criterion) {
    let mut selection = String::new();
    for word in words(600) {
        writeln!(selection, "    - '{word}'").expect("a String takes all text");
    }
    bench_event(c, "600 keywords", engine(&selection));
}

fn members(c: &mut Criterion) {
    let engine = engine("    k1.a: x\n    none: y\n").with_event_bytes_max(usize::MAX);
    let mut judge = Judge::of(engine);
    let mut group = c.benchmark_group("members");
    for count in [MEMBERS / 4, MEMBERS / 2, MEMBERS] {
        let mut event = String::from("{");
        for number in 0..count {
            write!(event, r#""k{number}":0,"#).expect("a String takes all text");
        }
        event.push_str(r#""last":1}"#);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter(|| judge.judge(event.as_bytes()));
        });
    }
    group.finish();
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = benches;
    config = short();
    targets = marks, walk, fields, keywords, members
}
criterion_main!(benches);
