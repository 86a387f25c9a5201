//! Partitions that move from one member of a group to another.

use super::*;

/// Hand-overs that are tried until one is as clean as a broker makes all of them.
///
/// The simulated coordinator refuses a member that asks for its part after the group's leader has told
/// it, so that the member joins once more, and refuses every commit while members join. A hand-over that
/// falls into that is not committed, and its records are read again: allowed, and not what is tested.
const TRIES: usize = 6;

/// One assignment of a partition, as its member's topology saw it.
#[derive(Debug)]
struct Held {
    committed: Option<i64>,
    offsets: Vec<i64>,
    committable: Option<i64>,
    ended: bool,
}

/// The assignments of every partition, in the order in which they were made.
fn held(members: [&Topology; 2]) -> BTreeMap<u32, BTreeMap<u64, Held>> {
    let mut partitions: BTreeMap<u32, BTreeMap<u64, Held>> = BTreeMap::new();
    for topology in members {
        let state = topology.state();
        for (generation, partition, committed) in &state.assigned {
            let held = Held {
                committed: *committed,
                offsets: state.reads.get(generation).cloned().unwrap_or_default(),
                committable: state.trackers[generation].committable(),
                ended: state.revoked.contains(generation),
            };
            let earlier = partitions
                .entry(*partition)
                .or_default()
                .insert(*generation, held);
            assert!(earlier.is_none(), "generation {generation} came twice");
        }
    }
    partitions
}

/// Whether all of `count` records of each of 4 partitions were read by somebody.
fn complete(members: [&Topology; 2], count: usize) -> bool {
    let held = held(members);
    let read = |of: &BTreeMap<u64, Held>| {
        let offsets = of.values().flat_map(|held| &held.offsets);
        offsets.collect::<BTreeSet<_>>().len()
    };
    held.len() == 4 && held.values().all(|of| read(of) == count)
}

/// Every assignment goes on where the group's commit says, without a hole to what was read before it: so
/// nothing is lost, and nothing that was committed is read again.
fn assert_read_on(assignments: &BTreeMap<u64, Held>, partition: u32) {
    let mut end = 0;
    for held in assignments.values() {
        let begin = held.committed.unwrap_or(0);
        assert!(
            begin <= end,
            "partition {partition} goes on at {begin} after {end}: {assignments:?}"
        );
        let length = i64::try_from(held.offsets.len()).expect("small");
        let expected: Vec<i64> = (begin..begin + length).collect();
        assert_eq!(
            held.offsets, expected,
            "partition {partition}: {assignments:?}"
        );
        end = end.max(begin + length);
        assert!(
            held.ended && held.committable == Some(begin + length),
            "partition {partition} was not drained: {assignments:?}"
        );
    }
}

/// Moves two of four partitions to a second member; where that one began.
///
/// Of the ten records that the first member reads, five are committed and five are in flight until the
/// partition is taken from it.
fn hand_over() -> BTreeSet<i64> {
    let cluster = cluster(4);
    produce(&cluster, 4, 10, 10);
    let config = config(&cluster.bootstrap_servers());
    let (first, second) = (Topology::new(5), Topology::new(i64::MAX));
    let one = run(config.clone(), &first);
    wait_for("every record", || first.read() == 40);
    let probe = probe(&cluster);
    wait_for("the commits", || committed(&probe, 4) == [Some(5); 4]);
    // From now on a partition that ends finishes what it has in flight.
    first.finish_below.store(i64::MAX, Ordering::Relaxed);
    let two = run(config, &second);
    wait_for("a partition of the second member", || {
        second.state().begins.len() >= 2
    });
    produce(&cluster, 4, 10, 10);
    let all = comes(|| complete([&first, &second], 20));
    one.stop();
    two.stop();
    let partitions = held([&first, &second]);
    assert!(all, "records are missing: {partitions:?}");
    for (partition, assignments) in &partitions {
        assert_read_on(assignments, *partition);
    }
    let state = second.state();
    state.begins.iter().map(|(_, at)| *at).collect()
}

#[test]
fn a_partition_that_moves_to_another_member_is_drained_committed_and_read_on() {
    let mut begins = Vec::new();
    for _ in 0..TRIES {
        let begin = hand_over();
        // What was in flight is finished and committed before the other member begins.
        if begin == BTreeSet::from([10]) {
            return;
        }
        // What was committed before stays so.
        assert!(begin.iter().all(|begin| *begin >= 5), "{begin:?}");
        begins.push(begin);
    }
    panic!("no hand-over was committed: {begins:?}");
}
