//! A fold that was restored goes on as the one whose state was taken.

use proptest::prelude::*;

use super::model::{Happening, every_kind, story};
use super::*;
use crate::snapshot::{Draft, Entry, Header, Snapshot};

fn draft(fold: &Fold) -> Draft {
    let mut draft = Draft::new(Header {
        partition: fold.partition,
        ..Header::default()
    });
    fold.snapshot(&mut draft);
    draft
}

fn restored(draft: Draft) -> Fold {
    let sealed = draft.seal().unwrap();
    Fold::restore(&Snapshot::open(&sealed.bytes).unwrap()).unwrap()
}

/// The records of a story, the settings first.
fn records(story: &[Happening], settings: Settings) -> Vec<Record> {
    let defs = every_kind();
    let names = ["hub", "bus"];
    let mut records = vec![Record::new(Body::Settings(settings))];
    for (happening, number) in story.iter().zip(0_i64..) {
        records.push(match happening {
            Happening::Tick { times } => {
                let marks = names.iter().zip(times);
                Record::tick(Tick {
                    marks: marks.map(|(name, time)| mark(name, *time)).collect(),
                })
            }
            Happening::Again { from, .. } => Record::new(Body::SourceGone(source(names[*from]))),
            Happening::Found {
                def,
                from,
                group,
                time,
                rules,
                value,
            } => {
                let mut found = of_group(&defs[*def], ["kim", "lee"][*group], number, *time);
                found.base_rules.clone_from(rules);
                found.has_value = value.is_some();
                found.value_hash = value.unwrap_or_default().unsigned_abs();
                found.value_micro = value.unwrap_or_default() * 1_000_000;
                Record::batch(MatchBatch {
                    source: Some(source(names[*from])),
                    matches: vec![found],
                    ..MatchBatch::default()
                })
            }
        });
    }
    records
}

fn settings(slots: u64, elements: u64) -> Settings {
    let defs = every_kind();
    Settings {
        active: defs
            .iter()
            .map(|def| def.version.as_bytes().to_vec())
            .collect(),
        lateness: defs.iter().map(|def| def.lateness.ticks()).collect(),
        slots_per_correlation: slots,
        slots_total: 3 * slots,
        elements_per_group: elements,
        suppress: true,
        ..Settings::default()
    }
}

/// One record, and the chained matches that it brings forth; what was said.
fn step(bench: &mut Bench, record: &Record) -> Vec<String> {
    let mut said = Vec::new();
    let mut records = vec![record.clone()];
    while let Some(record) = records.pop() {
        for output in bench.step(&record) {
            said.push(format!("{output:?}"));
            if let Output::Chained(_, found) = output {
                records.push(Record::batch(MatchBatch {
                    source: Some(bench.fold.chain_source()),
                    matches: vec![*found],
                    ..MatchBatch::default()
                }));
            }
        }
    }
    said
}

#[test]
fn an_empty_fold_comes_back() {
    let fold = Fold::new(7);
    let back = restored(draft(&fold));
    assert_eq!(draft(&back), draft(&fold));
    assert_eq!(back.chain_source(), fold.chain_source());
}

#[test]
fn the_header_says_how_far_sources_have_come() {
    let mut bench = Bench::new(every_kind());
    bench.send(found(&every_kind()[0], 1, 5));
    bench.tick(9);
    let header = draft(&bench.fold).header;
    let watermarks: Vec<_> = header
        .watermarks
        .iter()
        .map(|one| (one.source.clone().unwrap().name, one.append_time))
        .collect();
    assert_eq!(watermarks, [("hub".to_owned(), 90_000_000)]);
    assert_eq!(header.slots, bench.fold.slots());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        max_shrink_iters: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever happened before and whatever happens after, within narrow and wide limits.
    #[test]
    fn prop_a_restored_fold_says_and_becomes_the_same(
        story in story(),
        at in any::<prop::sample::Index>(),
        slots in prop_oneof![Just(3_u64), Just(1_000)],
        elements in prop_oneof![Just(3_u64), Just(1_000)],
    ) {
        let records = records(&story, settings(slots, elements));
        let (before, after) = records.split_at(at.index(records.len() + 1).min(records.len()));
        let mut whole = Bench::new(every_kind());
        for record in before {
            step(&mut whole, record);
        }
        let mut back = Bench::new(every_kind());
        back.fold = restored(draft(&whole.fold));
        back.pos = whole.pos;
        prop_assert_eq!(draft(&back.fold), draft(&whole.fold));
        for record in after {
            prop_assert_eq!(step(&mut back, record), step(&mut whole, record));
            prop_assert_eq!(draft(&back.fold), draft(&whole.fold));
        }
        prop_assert_eq!(back.fold.slots(), whole.fold.slots());
        prop_assert_eq!(back.fold.watermark(), whole.fold.watermark());
    }

    /// A state whose container is whole and whose content is not.
    #[test]
    fn prop_hostile_entries_never_panic(
        story in story(),
        at in any::<prop::sample::Index>(),
        hostile in prop::collection::vec(any::<u8>(), 0..40),
        key in any::<bool>(),
    ) {
        let mut bench = Bench::new(every_kind());
        for record in records(&story, settings(1_000, 1_000)) {
            step(&mut bench, &record);
        }
        let sealed = draft(&bench.fold).seal().unwrap();
        let snapshot = Snapshot::open(&sealed.bytes).unwrap();
        let mut entries: Vec<Entry> = snapshot.entries().unwrap().map(Result::unwrap).collect();
        let at = at.index(entries.len());
        if key {
            entries[at].key = hostile;
        } else {
            entries[at].value = hostile;
        }
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        entries.dedup_by(|a, b| a.key == b.key);
        let mut forged = Draft::default();
        for entry in &entries {
            forged.put(&entry.key, &Raw(entry.value.clone()));
        }
        let sealed = forged.seal().unwrap();
        // Whether it is refused depends on what it says; what it becomes can be taken again.
        if let Ok(fold) = Fold::restore(&Snapshot::open(&sealed.bytes).unwrap()) {
            draft(&fold).seal().unwrap();
        }
    }
}

/// Bytes that are written as they are.
#[derive(Debug)]
struct Raw(Vec<u8>);

impl prost::Message for Raw {
    fn encode_raw(&self, out: &mut impl prost::bytes::BufMut) {
        out.put_slice(&self.0);
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn merge_field(
        &mut self,
        _: u32,
        _: prost::encoding::WireType,
        _: &mut impl prost::bytes::Buf,
        _: prost::encoding::DecodeContext,
    ) -> Result<(), prost::DecodeError> {
        Ok(())
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}
