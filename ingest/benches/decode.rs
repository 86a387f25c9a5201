//! What it takes to find the events of an envelope and to tell what they are.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use palisade_ingest::decode::{Decoded, Decoder, Hints};

/// Ten sign-ins.
const SIGN_INS: usize = 10;

/// A sign-in of the shape that the whole program is measured with, whose values stand in `${…}`.
const TEMPLATE: &str = include_str!("../../benches/data/signin.json");

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

fn envelope(c: &mut Criterion) {
    let events = vec![sign_in(); SIGN_INS].join(",");
    let envelope = format!(r#"{{"records":[{events}]}}"#);
    let (mut decoder, hints) = (Decoder::default(), Hints::default());
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Bytes(envelope.len() as u64));
    group.bench_function("envelope", |b| {
        b.iter(|| {
            let mut events = 0;
            let payload = Some(black_box(envelope.as_bytes()));
            decoder.decode(payload, &hints, &mut |decoded| {
                events += usize::from(matches!(decoded, Decoded::Event(..)));
            });
            assert_eq!(events, SIGN_INS);
        });
    });
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
    targets = envelope
}
criterion_main!(benches);
