use bytes::Bytes;
use palisade_ingest::decode::Hints;
use palisade_ingest::source::Record;
use tokio::sync::mpsc::{Receiver, channel};

use super::*;
use crate::topology::breaker::Limits;
use crate::topology::stage::{SourceTraits, UnknownPolicy};

fn finished(partition: u32, offset: i64) -> Finished {
    Finished {
        source: "hub".to_owned(),
        incarnation: 1,
        partition,
        offset,
    }
}

fn traits(clamp: Clamp) -> SourceTraits {
    SourceTraits {
        tenant: Arc::from("default"),
        hints: Hints::default(),
        unknown: UnknownPolicy::JudgeAll,
        clamp,
    }
}

/// An intake with one judge's queue of two batches, which nobody reads but the test.
fn intake(durable: Vec<Finished>, state: StateAge) -> (Intake, Receiver<Work>) {
    let (judge, work) = channel(2);
    let traits = [("hub", Clamp::ToAppendTime), ("files", Clamp::Never)]
        .map(|(name, clamp)| (Arc::from(name), traits(clamp)));
    let context = IntakeContext {
        durable,
        accepted: BTreeSet::from(["accepted/gap/40/1/0/hub".to_owned()]),
        state,
        traits: Arc::new(Traits::from(traits)),
        breakers: Arc::new(Breakers::new(Limits::default(), Site::default())),
        site: Site::default(),
    };
    (Intake::new(vec![judge], context), work)
}

fn assigned(name: &str, partition: u32, generation: u64) -> Arc<Assigned> {
    Arc::new(Assigned {
        name: Arc::from(name),
        source: Arc::from(name),
        topic: Arc::from("azure-logs"),
        partition,
        incarnation: 1,
        generation,
        partitions_total: 2,
    })
}

fn batch(at: &Arc<Assigned>, offsets: std::ops::Range<i64>, bytes: usize) -> RecordBatch {
    let records = offsets.map(|offset| Record {
        offset,
        payload: Some(Bytes::from(vec![b' '; bytes])),
        broker_time: None,
        append_time: Timestamp::from_unix_seconds(1_000 + offset),
    });
    RecordBatch {
        from: Arc::clone(at),
        records: records.collect(),
    }
}

fn done(intake: &Intake, work: Work) {
    let newest = work
        .batch
        .records
        .iter()
        .map(|record| record.append_time)
        .max();
    let tickets = work
        .tickets
        .into_iter()
        .map(|ticket| (ticket, Outcome::Done))
        .collect();
    intake.done(&work.batch.from, Some(work.upto), tickets, newest);
}

#[test]
fn reading_goes_on_from_the_lower_of_commit_and_durable_offset() {
    let (intake, _work) = intake(vec![finished(0, 40)], StateAge::Kept);
    let at = assigned("hub", 0, 1);
    for (committed, position) in [(None, 40), (Some(40), 40), (Some(30), 30), (Some(50), 40)] {
        assert_eq!(
            intake.position(&at, committed).unwrap().0,
            Some(position),
            "{committed:?}"
        );
    }
}

#[test]
fn a_commit_ahead_of_the_log_is_said() {
    let (intake, _work) = intake(vec![finished(0, 40)], StateAge::Kept);
    assert_eq!(
        intake.assigned(&assigned("hub", 0, 1), Some(50)).unwrap(),
        Some(40)
    );
    let text = intake.context.site.metrics.render();
    assert!(
        text.contains("palisade_problems_total{kind=\"state_gap\"} 1"),
        "{text}"
    );
}

#[test]
fn an_accepted_gap_is_an_alert_before_anything_behind_it_is_read() {
    let (intake, mut work) = intake(vec![finished(0, 40), finished(1, 40)], StateAge::Kept);
    let (at, other) = (assigned("hub", 0, 1), assigned("hub", 1, 2));
    for at in [&at, &other] {
        intake.assigned(at, Some(40)).unwrap();
    }
    assert!(!intake.gap(&other, 40, 55), "nobody accepted it");
    assert!(!intake.gap(&at, 41, 55), "the log has gone on");
    assert!(intake.gap(&at, 40, 55));
    intake.begins(&at, 55);
    let first = work.try_recv().unwrap();
    let text = String::from_utf8_lossy(&first.alerts[0].body).into_owned();
    assert!(text.contains("records 40 to 55 were never read"), "{text}");
    assert!(text.contains("#telemetry_gap"), "{text}");
    assert_eq!(first.upto, 55);
}

/// Takes what the partition has to say, reads it up to `upto`, and lets the group take it away.
fn read_and_leave(intake: &Intake, work: &mut Receiver<Work>, at: &Arc<Assigned>, upto: i64) {
    intake.batch(batch(at, upto - 2..upto, 1));
    while let Ok(work) = work.try_recv() {
        done(intake, work);
    }
    assert_eq!(intake.committable(at), Some(upto));
    intake.revoked(at);
}

#[test]
fn a_partition_that_comes_back_goes_on_where_this_process_left_it() {
    let (intake, mut work) = intake(vec![finished(0, 500)], StateAge::Kept);
    let first = assigned("hub", 0, 1);
    intake.assigned(&first, Some(500)).unwrap();
    intake.begins(&first, 500);
    read_and_leave(&intake, &mut work, &first, 1_000);
    let again = assigned("hub", 0, 2);
    assert_eq!(intake.assigned(&again, Some(1_000)).unwrap(), Some(1_000));
    let text = intake.context.site.metrics.render();
    assert!(!text.contains("state_gap"), "{text}");
    intake.begins(&again, 1_000);
    assert!(
        work.try_recv().is_err(),
        "there is nothing to be said of it"
    );
    // What is read again takes nothing back: a commit beyond that is still a log that lost its end.
    assert_eq!(intake.position(&again, Some(1_001)).unwrap().0, Some(1_000));
}

#[test]
fn a_partition_that_is_new_since_the_start_may_come_back() {
    let (intake, mut work) = intake(vec![finished(0, 40)], StateAge::Kept);
    let first = assigned("hub", 1, 1);
    intake.assigned(&first, None).unwrap();
    intake.begins(&first, 0);
    read_and_leave(&intake, &mut work, &first, 10);
    let again = assigned("hub", 1, 2);
    assert_eq!(intake.assigned(&again, Some(10)).unwrap(), Some(10));
}

#[test]
fn an_accepted_gap_accepts_no_later_one() {
    let (intake, mut work) = intake(vec![finished(0, 40)], StateAge::Kept);
    let first = assigned("hub", 0, 1);
    intake.assigned(&first, Some(40)).unwrap();
    assert!(intake.gap(&first, 40, 55));
    assert!(!intake.gap(&first, 40, 70), "it is used up");
    intake.begins(&first, 55);
    read_and_leave(&intake, &mut work, &first, 1_000);
    let again = assigned("hub", 0, 2);
    assert_eq!(intake.assigned(&again, Some(1_000)).unwrap(), Some(1_000));
    assert!(!intake.gap(&again, 1_000, 2_000));
    assert!(!intake.gap(&again, 40, 2_000), "the log has gone on");
}

/// The alert is in the step in front of the first record, which is durable before or with it.
#[test]
fn a_lost_end_is_an_alert_before_anything_is_read_again() {
    let (intake, mut work) = intake(vec![finished(0, 40)], StateAge::Kept);
    let at = assigned("hub", 0, 1);
    intake.assigned(&at, Some(50)).unwrap();
    intake.begins(&at, 40);
    intake.batch(batch(&at, 40..42, 10));
    let first = work.try_recv().unwrap();
    let [alert] = &first.alerts[..] else {
        panic!("one alert")
    };
    let text = String::from_utf8_lossy(&alert.body);
    assert!(
        text.contains(r#""from":"40""#) && text.contains(r#""to":"50""#),
        "{text}"
    );
    assert!(first.tickets.is_empty());
    assert!(work.try_recv().unwrap().alerts.is_empty());
}

#[test]
fn a_commit_without_a_durable_offset_is_taken_by_a_new_state_only() {
    let at = assigned("hub", 1, 1);
    let (new, _work) = intake(Vec::new(), StateAge::New);
    assert_eq!(new.assigned(&at, Some(7)).unwrap(), Some(7));
    let (kept, _work) = intake(vec![finished(0, 40)], StateAge::Kept);
    let refused = kept.assigned(&at, Some(7)).unwrap_err();
    assert!(
        matches!(refused, SourceError::Position { partition: 1, .. }),
        "{refused}"
    );
    assert_eq!(kept.assigned(&at, None).unwrap(), None);
}

#[test]
fn only_what_is_done_may_be_committed() {
    let (intake, mut work) = intake(Vec::new(), StateAge::New);
    let at = assigned("hub", 0, 1);
    intake.assigned(&at, None).unwrap();
    intake.begins(&at, 5);
    done(&intake, work.try_recv().unwrap());
    intake.batch(batch(&at, 5..8, 10));
    assert_eq!(intake.committable(&at), Some(5));
    assert_eq!(intake.in_flight_bytes(), 30);
    done(&intake, work.try_recv().unwrap());
    assert_eq!(intake.committable(&at), Some(8));
    assert_eq!(intake.in_flight_bytes(), 0);
}

/// A commit that the log knows nothing of stops the next start, as if the log had lost its end.
#[test]
fn a_partition_without_records_is_committed_when_the_log_knows_of_it() {
    let (intake, mut work) = intake(vec![finished(1, 40)], StateAge::Kept);
    let at = assigned("hub", 0, 1);
    intake.assigned(&at, None).unwrap();
    intake.begins(&at, 5);
    assert_eq!(intake.committable(&at), None);
    let begin = work.try_recv().unwrap();
    assert_eq!((begin.batch.records.len(), begin.upto), (0, 5));
    done(&intake, begin);
    assert_eq!(intake.committable(&at), Some(5));
    let known = assigned("hub", 1, 2);
    intake.assigned(&known, Some(40)).unwrap();
    intake.begins(&known, 40);
    assert!(work.try_recv().is_err(), "the log knows of it already");
    assert_eq!(intake.committable(&known), Some(40));
}

#[test]
fn late_results_never_touch_a_later_assignment() {
    let (intake, mut work) = intake(Vec::new(), StateAge::New);
    let first = assigned("hub", 0, 1);
    intake.assigned(&first, None).unwrap();
    intake.batch(batch(&first, 0..3, 10));
    let late = work.try_recv().unwrap();
    intake.lock().get_mut(&1).unwrap().revoked = true;
    let second = assigned("hub", 0, 2);
    intake.assigned(&second, None).unwrap();
    intake.begins(&second, 0);
    done(&intake, late);
    assert_eq!(intake.committable(&second), None);
    done(&intake, work.try_recv().unwrap());
    assert_eq!(intake.committable(&second), Some(0));
    assert_eq!(intake.committable(&first), None);
    assert_eq!(intake.in_flight_bytes(), 0);
}

/// Judges share all batches: what is late of an earlier assignment must still go out first.
#[test]
fn a_partition_keeps_its_line_over_assignments() {
    let (intake, mut work) = intake(Vec::new(), StateAge::New);
    let (first, other, second) = (
        assigned("hub", 0, 1),
        assigned("hub", 1, 2),
        assigned("hub", 0, 3),
    );
    let mut turns = Vec::new();
    for at in [&first, &other, &second] {
        intake.assigned(at, None).unwrap();
        intake.batch(batch(at, 0..1, 1));
        let work = work.try_recv().unwrap();
        turns.push(format!("{:?}", work.turn));
        done(&intake, work);
        intake.lock().get_mut(&at.generation).unwrap().revoked = true;
    }
    let place = |text: &str| text.contains("id: 1,") && text.contains("number: 1");
    assert_eq!(
        turns.iter().map(|turn| place(turn)).collect::<Vec<_>>(),
        [false, false, true]
    );
}

#[test]
fn a_partition_is_ready_while_bytes_and_the_judges_queue_have_room() {
    let (intake, mut work) = intake(Vec::new(), StateAge::New);
    let at = assigned("hub", 0, 1);
    assert!(!intake.ready(&at), "not assigned");
    intake.assigned(&at, None).unwrap();
    assert!(intake.ready(&at));
    intake.batch(batch(&at, 0..1, 1));
    intake.batch(batch(&at, 1..2, 1));
    assert!(!intake.ready(&at), "the queue is full");
    let (first, second) = (work.try_recv().unwrap(), work.try_recv().unwrap());
    assert!(intake.ready(&at));
    intake
        .in_flight
        .fetch_add(IN_FLIGHT_BYTES_MAX, Ordering::Relaxed);
    assert!(!intake.ready(&at), "too many bytes in flight");
    done(&intake, first);
    done(&intake, second);
}

#[test]
fn a_revoked_partition_waits_for_its_records() {
    let (intake, mut work) = intake(Vec::new(), StateAge::New);
    let at = assigned("hub", 0, 1);
    intake.assigned(&at, None).unwrap();
    intake.batch(batch(&at, 0..3, 10));
    let in_flight = work.try_recv().unwrap();
    std::thread::scope(|scope| {
        let revoked = scope.spawn(|| {
            intake.revoked(&at);
            intake.committable(&at)
        });
        done(&intake, in_flight);
        assert_eq!(revoked.join().unwrap(), Some(3));
    });
    assert!(
        intake.progress().is_empty(),
        "a partition read elsewhere is not ticked here"
    );
}

#[test]
fn an_idle_partition_ticks_only_at_the_end_that_was_asked_for() {
    let (intake, mut work) = intake(Vec::new(), StateAge::New);
    let (busy, idle) = (assigned("hub", 0, 1), assigned("hub", 1, 2));
    for at in [&busy, &idle] {
        intake.assigned(at, None).unwrap();
        intake.begins(at, 0);
        done(&intake, work.try_recv().unwrap());
    }
    intake.batch(batch(&busy, 0..1, 1));
    done(&intake, work.try_recv().unwrap());
    let ticked = |intake: &Intake| -> Vec<(u32, Timestamp)> {
        let progress = intake.progress().into_iter();
        progress
            .map(|progress| (progress.at.partition, progress.append_time))
            .collect()
    };
    let read = Timestamp::from_unix_seconds(1_000);
    assert_eq!(
        ticked(&intake),
        [(0, read)],
        "an idle partition vouches for nothing unasked"
    );
    intake.observed_end(&idle, 3, None);
    assert_eq!(ticked(&intake), [(0, read)], "three records are unread");
    intake.observed_end(&idle, 0, None);
    let ticks = ticked(&intake);
    assert_eq!(ticks[1].0, 1);
    // The newest append time read from the source, moved on by the monotonic clock: never today.
    assert!(
        ticks[1].1 >= read && ticks[1].1 < read.plus(Span::from_seconds(3_600)),
        "{ticks:?}"
    );
}

#[test]
fn the_time_of_an_idle_partition_stops_at_the_look_before() {
    let newest = Some((Timestamp::from_unix_seconds(100), Duration::from_secs(10)));
    let known = idle_time(newest, Duration::from_secs(25));
    assert_eq!(known, Some(Timestamp::from_unix_seconds(115)));
    assert_eq!(
        idle_time(newest, Duration::from_secs(5)),
        Some(Timestamp::from_unix_seconds(100))
    );
    assert_eq!(idle_time(None, Duration::from_secs(25)), None);
}

#[test]
fn a_file_ticks_once_at_its_end_and_is_forgotten() {
    let (intake, mut work) = intake(Vec::new(), StateAge::New);
    let file = assigned("files", 0, 1);
    intake.assigned(&file, None).unwrap();
    intake.begins(&file, 0);
    intake.batch(batch(&file, 0..2, 1));
    done(&intake, work.try_recv().unwrap());
    assert!(
        intake.progress().is_empty(),
        "time stands still in the middle of a file"
    );
    let end = Timestamp::from_unix_seconds(9_000);
    intake.observed_end(&file, 2, Some(end));
    intake.revoked(&file);
    let progress = intake.progress();
    assert_eq!(progress.len(), 1);
    assert!(progress[0].ended);
    assert_eq!((progress[0].upto, progress[0].append_time), (2, end));
    assert!(intake.progress().is_empty());
}

#[test]
fn a_closed_intake_takes_nothing_and_is_not_ready() {
    let (intake, mut work) = intake(Vec::new(), StateAge::New);
    let at = assigned("hub", 0, 1);
    intake.assigned(&at, None).unwrap();
    intake.close();
    assert!(!intake.ready(&at));
    intake.batch(batch(&at, 0..1, 1));
    assert!(work.try_recv().is_err());
    assert_eq!(intake.in_flight_bytes(), 0);
}
