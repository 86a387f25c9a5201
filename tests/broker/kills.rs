//! Killed at random moments, the program says what an undisturbed one says.

use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use super::input::{self, PARTITIONS, RECORDS, Setup};
use super::state::{self, Logs};
use crate::support::kafka::Broker;
use crate::support::palisade::Palisade;
use crate::support::wait_for;

const KILLS: usize = 20;

/// A number that differs from run to run.
pub fn seed() -> u64 {
    std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish()
}

/// Runs until everything in the topic is finished and delivered, then ends the program.
pub fn drain(setup: &Setup, broker: &Broker) {
    let run = Palisade::run(&setup.folder);
    wait_for(
        "every record to be finished and every alert to be delivered",
        || {
            let lag = broker.lag(&setup.group, RECORDS, PARTITIONS);
            let folded = setup.metric("palisade_correlation_position")?;
            let rows = Logs::open(setup)
                .matches()
                .last()
                .map_or(0, |(pos, _, _)| *pos);
            let pending = |sink: &str| {
                setup.metric(&format!("palisade_sink_pending_alerts{{sink=\"{sink}\"}}"))
            };
            #[expect(clippy::cast_precision_loss, reason = "positions of a test are small")]
            let caught_up = folded > rows as f64;
            (lag == 0 && caught_up && pending("file")? == 0.0 && pending("bus")? == 0.0)
                .then_some(())
        },
    );
    let log = run.log();
    let status = run.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
}

/// The done-criterion of the whole path: 20 kills at random moments, one broker restart in between;
/// then a run that nobody disturbs reads the same topic with a group and a state of its own.
#[test]
fn twenty_kills_and_a_broker_restart_lose_nothing_and_invent_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut broker = Broker::start(folder.path());
    broker.create_topic(RECORDS, PARTITIONS);
    let killed = Setup::new(folder.path(), "killed", &broker, &[&input::detections()]);
    let calm = Setup::new(folder.path(), "calm", &broker, &[&input::detections()]);

    let records = input::records();
    let slices = records.chunks(records.len().div_ceil(KILLS));
    let mut random = seed() | 1;
    println!("seed of the kills: {random}");
    for (number, slice) in slices.enumerate() {
        broker.produce(RECORDS, PARTITIONS, slice);
        let run = Palisade::run(&killed.folder);
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let moment = Duration::from_millis(50 + (random >> 33) % 2_500);
        std::thread::sleep(moment);
        if number == KILLS / 2 {
            broker.restart();
        }
        run.kill();
    }
    drain(&killed, &broker);
    drain(&calm, &broker);
    compare(&killed, &calm, &broker);
}

fn compare(killed: &Setup, calm: &Setup, broker: &Broker) {
    let (log, reference) = (Logs::open(killed), Logs::open(calm));
    let (alerts, expected) = (log.alerts(), reference.alerts());
    assert!(
        !state::single_ids(&expected).is_empty(),
        "the rules say nothing about the records"
    );
    assert!(
        !state::fired(&expected).is_empty(),
        "no correlation fired on the records"
    );

    assert_eq!(state::single_ids(&alerts), state::single_ids(&expected));
    assert_eq!(
        state::match_set(&log.matches()),
        state::match_set(&reference.matches())
    );
    assert_eq!(state::fired(&alerts), state::fired(&expected));

    let definitions = log.definitions();
    let refolded = state::refold(&log.matches(), &definitions);
    assert_eq!(
        state::folded_ids(&alerts, &definitions),
        refolded,
        "alerts of the log as written"
    );

    let all = state::ids(&alerts);
    assert_eq!(
        state::ids(&state::file_alerts(&killed.folder)),
        all,
        "ids in the file"
    );
    assert_eq!(
        state::ids(&state::topic_alerts(broker, &killed.alerts)),
        all,
        "ids in the topic"
    );
    state::assert_repeats_agree(&state::file_alerts(&killed.folder));
    state::assert_repeats_agree(&alerts);
    println!(
        "{} alerts with {} ids, {} of correlations; {} rows in the matches log",
        alerts.len(),
        all.len(),
        refolded.len(),
        log.matches().len()
    );
}
