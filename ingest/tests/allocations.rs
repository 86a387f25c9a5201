//! Records that match nothing take no memory once every buffer has grown.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::Arc;

use palisade_detect::engine::{Clamp, Engine, EngineOptions, EventContext, Verdict};
use palisade_detect::event::{Index, Origin, SourcePartition};
use palisade_detect::rule::RuleFile;
use palisade_detect::rule::parse::parse;
use palisade_detect::time::Timestamp;
use palisade_ingest::decode::{Decoded, Decoder, Hints};
use palisade_ingest::log_type;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts what each thread asks for.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() {
    // A thread that ends has no counter any more.
    ALLOCATIONS
        .try_with(|allocations| allocations.set(allocations.get() + 1))
        .ok();
}

#[expect(unsafe_code, reason = "there is no other way to count allocations")]
// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are the ones that are asked for.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are the ones that are asked for.
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// How often `work` asks for memory.
fn allocations_of(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

/// Tests of every kind, none of which any record below meets.
const DETECTION: &str = r##"
detection:
  equal: {category: none-of-these, operationName: [a, b, c]}
  parts: {properties.userPrincipalName|contains: "#nobody#", resultType|startswith: x9}
  shapes: {callerIpAddress|cidr: 192.0.2.0/32, operationName|re: '^no[a-z]+ne$'}
  deep: {properties.status.errorCode|gt: 999999999, properties.absent: null}
  ends: {properties.riskLevelDuringSignIn|endswith: "-never"}
  flow: {dst_port: 66000, rule|contains: Nowhere, src_ip|cidr: 192.0.2.0/32}
  words: [no-such-word-anywhere, neither-this-one]
  condition: equal or parts or shapes or (deep and equal) or ends or flow or words
"##;

/// A rule for every log source that an event can state.
fn engine() -> Engine {
    let sources = log_type::all().flat_map(|log_type| log_type.logsources);
    let mut rules = String::new();
    for (number, source) in sources.enumerate() {
        write!(rules, "---\ntitle: Rule {number}\nlogsource:\n").expect("text takes text");
        let parts = [
            ("product", &source.product),
            ("service", &source.service),
            ("category", &source.category),
        ];
        for (name, part) in parts {
            if let Some(part) = part {
                writeln!(rules, "  {name}: {part}").expect("text takes text");
            }
        }
        rules.push_str(DETECTION.trim_start());
    }
    let file = RuleFile {
        name: Arc::from("rules.yml"),
        bytes: rules.into_bytes(),
    };
    let (rules, problems) = parse(&[file]);
    assert_eq!(problems, []);
    let (engine, problems) = Engine::compile(rules, EngineOptions::default());
    assert_eq!(problems, []);
    engine
}

/// Flow logs of a network security group and of a virtual network.
const FLOWS: &str = r#"{"records":[
{"time":"2026-03-02T08:01:07.1234567Z","systemId":"4f2a","macAddress":"000D3A144D1C",
"category":"NetworkSecurityGroupFlowEvent","resourceId":"/SUBSCRIPTIONS/0/NETWORKSECURITYGROUPS/NSG-WEB",
"operationName":"NetworkSecurityGroupFlowEvents","properties":{"Version":2,"flows":[
{"rule":"Allow-SSH","flows":[{"mac":"000D3A144D1C","flowTuples":[
"1772438400,203.0.113.77,10.1.2.4,51234,22,T,I,A,B,,,,",
"1772438401,203.0.113.77,10.1.2.4,51234,443,U,O,D,E,1,66,2,132"]}]},
{"rule":"Deny","flows":[{"mac":"000D3A144D1C","flowTuples":[]}]}]}},
{"time":"2026-03-02T08:01:07.1234567Z","flowLogVersion":4,"flowLogGUID":"66aa","macAddress":"000D3A144D1C",
"category":"FlowLogFlowEvent","flowLogResourceID":"/SUBSCRIPTIONS/0/FLOWLOGS/VNET",
"targetResourceID":"/subscriptions/0/virtualNetworks/vnet","operationName":"FlowLogFlowEvent",
"flowRecords":{"flows":[{"aclID":"00000000-1234-abcd-ef00-c1c2c3c4c5c6","flowGroups":[
{"rule":"DefaultRule_AllowInternetOutBound","flowTuples":[
"1772438400111,10.0.0.6,203.0.113.8,51000,443,6,O,B,NX,0,0,0,0",
"1772438400222,10.0.0.6,203.0.113.8,51000,443,6,O,E,NX,3,767,2,1580"]}]}]}}]}"#;

/// Decodes and judges `record`; how many events it had.
fn judge(
    record: &[u8],
    engine: &Engine,
    (decoder, verdict): (&mut Decoder, &mut Verdict),
    origin: &mut Origin,
) -> usize {
    let mut events = 0;
    let hints = Hints::default();
    decoder.decode(Some(record), &hints, &mut |decoded| {
        let Decoded::Event(index, event) = decoded else {
            panic!("every record is sound: {decoded:?}");
        };
        origin.index = index;
        let context = EventContext {
            origin,
            append_time: Timestamp::from_unix_seconds(1_772_438_400),
            clamp: Clamp::ToAppendTime,
        };
        let judged = engine.detect(&event, &context, verdict);
        assert!(judged.is_ok() && verdict.matched.is_empty());
        events += 1;
    });
    events
}

#[test]
fn records_that_match_nothing_take_no_memory() {
    let engine = engine();
    let mut origin = Origin {
        tenant: Arc::from("default"),
        at: SourcePartition {
            source: Arc::from("hub"),
            incarnation: 1,
            partition: 0,
        },
        offset: 0,
        index: Index::ROOT,
    };
    let lines = [
        include_str!("../testdata/entra.ndjson"),
        include_str!("../testdata/activity.ndjson"),
        include_str!("../testdata/resource.ndjson"),
        include_str!("../testdata/defender_cloud.ndjson"),
        include_str!("../testdata/guest_and_alert.ndjson"),
    ];
    let wholes = [
        FLOWS,
        include_str!("../testdata/defender_xdr.json"),
        include_str!("../testdata/log_analytics.json"),
    ];
    // JSON text inside of text, and an object where a rule reads text, are questions for the event's tree.
    let is_plain = |line: &&str| !line.contains(r#":"{"#) && !line.contains(r#""category":{"#);
    let files = lines.map(|file| file.lines().filter(is_plain).collect::<Vec<_>>());
    let joined = files.each_ref().map(|lines| lines.join("\n"));
    let lines = files.into_iter().flatten();
    let joined = joined.iter().map(String::as_str);
    let records: Vec<&str> = lines.chain(wholes).chain(joined).collect();
    let (mut decoder, mut verdict) = (Decoder::default(), Verdict::default());
    let mut tell = |record: &str| {
        let buffers = (&mut decoder, &mut verdict);
        judge(record.as_bytes(), &engine, buffers, &mut origin)
    };
    for record in &records {
        assert!(tell(record) > 0, "{record}");
    }
    for record in &records {
        // There are more log sources here than a thread remembers the rules of.
        tell(record);
        let allocations = allocations_of(|| {
            for _ in 0..10 {
                tell(record);
            }
        });
        assert_eq!(allocations, 0, "{record}");
    }
}

#[test]
fn memory_that_is_taken_is_counted() {
    let taken = allocations_of(|| drop(std::hint::black_box(vec![1_u8; 100])));
    assert_eq!(taken, 1);
    assert_eq!(allocations_of(|| ()), 0);
}
