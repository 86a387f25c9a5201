//! The loop of a Kafka source: rebalances, records, commits, looks at the end, waiting.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use palisade_detect::time::{Span, TICKS_PER_SECOND, Timestamp};
use rdkafka::Timestamp as BrokerTime;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::KafkaConfig;
use super::client::{Context, Place, Rebalanced, client_config};
use super::commit::{Answer, Committer};
use super::payloads::Payloads;
use super::position::{self, Facts};
use crate::source::{Assigned, Handler, Record, RecordBatch, SourceError, next_generation};

/// Records that one batch holds at most: few enough for a pause to take effect soon.
const BATCH_RECORDS_MAX: usize = 500;

/// Payload bytes after which a batch is handed over.
const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// How long the loop rests when there was nothing to do.
const REST: Duration = Duration::from_millis(5);

/// Time between two commits. Event Hubs throttles at four a second and partition.
const COMMIT_EVERY: Span = Span::from_seconds(1);

/// Time between two questions for the end of one partition.
const OBSERVE_EVERY: Span = Span::from_seconds(2);

/// Time between two questions for any end: many partitions are asked more rarely each.
const OBSERVE_PAUSE: Span = Span::from_ticks(TICKS_PER_SECOND / 10);

/// Time between two attempts to begin with newly assigned partitions.
const RETRY_EVERY: Span = Span::from_seconds(1);

/// Time between two lines that say what is waited for.
const SAY_EVERY: Span = Span::from_seconds(60);

/// How long a question for an end may take: it holds up reading.
const OBSERVE_WAIT: Duration = Duration::from_secs(1);

/// How often the commit of a revoke or shutdown is tried, and the time between two tries.
const LAST_COMMIT_TRIES: u32 = 10;
const LAST_COMMIT_PAUSE: Duration = Duration::from_millis(200);

/// Runs the source until `stop` is set or it cannot go on.
pub(super) fn run(
    config: &KafkaConfig,
    handler: &Arc<dyn Handler>,
    stop: &AtomicBool,
) -> Result<(), SourceError> {
    config
        .check()
        .map_err(|reason| config.start_error(reason))?;
    let consumer: BaseConsumer<Context> = client_config(config)
        .create_with_context(Context::default())
        .map_err(|error| config.start_error(error))?;
    let topics: Vec<&str> = config.topics.iter().map(String::as_str).collect();
    consumer
        .subscribe(&topics)
        .map_err(|error| config.start_error(error))?;
    let consumer = Arc::new(consumer);
    let committer =
        Committer::start(Arc::clone(&consumer)).map_err(|error| config.start_error(error))?;
    let mut reader = Reader::new(config, handler, consumer, committer);
    let ended = reader.read(stop);
    reader.shut_down();
    ended
}

/// One assigned partition.
struct Partition {
    at: Arc<Assigned>,
    queue: PartitionQueue<Context>,
    /// The next offset to read.
    next: i64,
    /// What may be committed, as far as the topology said.
    committable: Option<i64>,
    /// What was committed last.
    committed: Option<i64>,
    /// When its end was asked for last.
    observed: Timestamp,
}

struct Reader<'a> {
    config: &'a KafkaConfig,
    handler: &'a Arc<dyn Handler>,
    consumer: Arc<BaseConsumer<Context>>,
    committer: Committer,
    partitions: BTreeMap<Place, Partition>,
    /// Which partition was asked first: another one each time, as the first one gets the room there
    /// is, and the others would only be read when it is at its end.
    turn: usize,
    /// Assigned, and the broker has not yet said enough to begin.
    pending: Vec<Place>,
    retry: Timestamp,
    commit: Timestamp,
    observe: Timestamp,
    /// The newest append time read and when it was read.
    newest: Option<(Timestamp, Timestamp)>,
    /// What is waited for, and when it was said last.
    waiting: Option<(String, Timestamp)>,
}

impl<'a> Reader<'a> {
    fn new(
        config: &'a KafkaConfig,
        handler: &'a Arc<dyn Handler>,
        consumer: Arc<BaseConsumer<Context>>,
        committer: Committer,
    ) -> Self {
        Self {
            config,
            handler,
            consumer,
            committer,
            partitions: BTreeMap::new(),
            turn: 0,
            pending: Vec::new(),
            retry: Timestamp::MIN,
            commit: Timestamp::MIN,
            observe: Timestamp::MIN,
            newest: None,
            waiting: None,
        }
    }

    fn read(&mut self, stop: &AtomicBool) -> Result<(), SourceError> {
        let mut rest = Duration::ZERO;
        self.wait_for("the group has not assigned any partition yet".to_owned());
        while !stop.load(Ordering::Relaxed) {
            // Messages never come this way: a partition's queue is split off before it is assigned.
            if let Some(Err(error)) = self.consumer.poll(rest) {
                self.error(&error, None)?;
            }
            while let Some(rebalanced) = self.consumer.context().next_rebalance() {
                match rebalanced {
                    Rebalanced::Assigned(places) => self.assigned(places)?,
                    Rebalanced::Revoked(places) => self.revoke(&places)?,
                }
            }
            self.begin_pending()?;
            let busy = self.batches()?;
            self.commit_due();
            self.observe_one();
            self.say_waiting();
            rest = if busy { Duration::ZERO } else { REST };
        }
        Ok(())
    }

    /// The group gave us `places`; none is an answer too.
    fn assigned(&mut self, places: Vec<Place>) -> Result<(), SourceError> {
        self.pending.extend(places);
        if self.pending.is_empty() {
            self.go_on();
            let answered = self.consumer.incremental_assign(&TopicPartitionList::new());
            return answered.map_err(|error| self.fatal(&error));
        }
        self.retry = Timestamp::MIN;
        Ok(())
    }

    /// Begins with the pending partitions once the broker has said where.
    fn begin_pending(&mut self) -> Result<(), SourceError> {
        let now = self.handler.now();
        if self.pending.is_empty() || now < self.retry {
            return Ok(());
        }
        let facts = match position::ask(&self.consumer, &self.pending, self.config.start) {
            Ok(facts) => facts,
            Err(error) => {
                self.retry = now.plus(RETRY_EVERY);
                self.wait_for(format!("where to begin cannot be asked: {error}"));
                return Ok(());
            }
        };
        self.pending.clear();
        let mut list = TopicPartitionList::with_capacity(facts.len());
        for (place, facts) in &facts {
            let position = self.begin(place, facts)?;
            list.add_partition_offset(&place.0, place.1, Offset::Offset(position))
                .map_err(|error| self.fatal(&error))?;
        }
        self.consumer
            .incremental_assign(&list)
            .map_err(|error| self.fatal(&error))?;
        self.go_on();
        Ok(())
    }

    fn begin(&mut self, place: &Place, facts: &Facts) -> Result<i64, SourceError> {
        let at = Arc::new(Assigned {
            name: Arc::clone(&self.config.name),
            source: self.config.id_source(&place.0),
            topic: Arc::from(place.0.as_str()),
            partition: u32::try_from(place.1).unwrap_or_default(),
            incarnation: 1,
            generation: next_generation(),
            partitions_total: facts.partitions_total,
        });
        let known = self.handler.assigned(&at, facts.committed)?;
        let position = match position::decide(self.config, place, facts, known) {
            Ok(position) => position,
            Err(error) => match position::gap(facts, known) {
                Some(from) if self.handler.gap(&at, from, facts.low) => facts.low,
                _ => {
                    self.handler.revoked(&at);
                    return Err(error);
                }
            },
        };
        self.handler.begins(&at, position);
        // Before the partition is assigned, so that no record takes another way.
        let Some(queue) = self.consumer.split_partition_queue(&place.0, place.1) else {
            self.handler.revoked(&at);
            return Err(self.config.start_error("a partition has no queue"));
        };
        tracing::info!(source = %self.config.name, topic = %at.topic, partition = at.partition,
            position, "a partition begins");
        let partition = Partition {
            at,
            queue,
            next: position,
            committable: None,
            committed: facts.committed,
            observed: Timestamp::MIN,
        };
        self.partitions.insert(place.clone(), partition);
        Ok(position)
    }

    /// Hands over one batch of each partition that has room; whether there was any.
    fn batches(&mut self) -> Result<bool, SourceError> {
        let mut busy = false;
        let mut failures = Vec::new();
        let mut order: Vec<_> = self.partitions.iter_mut().collect();
        if !order.is_empty() {
            self.turn = (self.turn + 1) % order.len();
            order.rotate_left(self.turn);
        }
        for (place, partition) in order {
            if !self.handler.ready(&partition.at) {
                continue;
            }
            let received = self.handler.now();
            let (records, failure) = take(partition, received);
            if let Some(failure) = failure {
                failures.push((place.clone(), failure));
            }
            if let Some(last) = records.last() {
                busy = true;
                self.newest = Some((last.append_time, received));
                self.handler.batch(RecordBatch {
                    from: Arc::clone(&partition.at),
                    records,
                });
            }
        }
        if busy {
            self.go_on();
        }
        for (place, failure) in failures {
            self.error(&failure, Some(&place))?;
        }
        Ok(busy)
    }

    fn commit_due(&mut self) {
        let now = self.handler.now();
        if now < self.commit {
            return;
        }
        match self.committer.look() {
            Answer::Open => return,
            Answer::Failed => self.forget_commits(),
            Answer::Idle => {}
        }
        self.commit = now.plus(COMMIT_EVERY);
        let places: Vec<Place> = self.partitions.keys().cloned().collect();
        self.commit(&places);
    }

    fn forget_commits(&mut self) {
        for partition in self.partitions.values_mut() {
            partition.committed = None;
        }
    }

    /// Sends what is committable of `places` and was not yet sent; nothing else is under way.
    fn commit(&mut self, places: &[Place]) {
        let mut list = TopicPartitionList::new();
        for place in places {
            let Some(partition) = self.partitions.get_mut(place) else {
                continue;
            };
            let committable = self.handler.committable(&partition.at);
            partition.committable = partition.committable.max(committable);
            let Some(upto) = partition.committable else {
                continue;
            };
            if partition.committed != Some(upto) {
                let offset = Offset::Offset(upto);
                if list.add_partition_offset(&place.0, place.1, offset).is_ok() {
                    partition.committed = Some(upto);
                }
            }
        }
        if list.count() > 0 {
            self.committer.send(list);
        }
    }

    /// Commits `places` for the last time and waits, bounded, for the answer.
    ///
    /// A group in the middle of a rebalance may refuse for a moment, so it is tried again.
    fn commit_last(&mut self, places: &[Place]) {
        let mut answer = self.committer.wait();
        for _ in 0..LAST_COMMIT_TRIES {
            match answer {
                // The broker is silent: what is not committed is read again, and durable already.
                Answer::Open => return,
                Answer::Failed => self.forget_commits(),
                Answer::Idle => {}
            }
            self.commit(places);
            answer = self.committer.wait();
            if answer == Answer::Idle {
                return;
            }
            thread::sleep(LAST_COMMIT_PAUSE);
        }
        self.forget_commits();
    }

    /// Gives `places` back: no more records, wait for those in flight, commit.
    fn revoke(&mut self, places: &[Place]) -> Result<(), SourceError> {
        self.pending.retain(|place| !places.contains(place));
        self.drain(places);
        self.commit_last(places);
        let mut list = TopicPartitionList::with_capacity(places.len());
        for place in places {
            if self.partitions.remove(place).is_some() {
                list.add_partition(&place.0, place.1);
            }
        }
        let answered = match self.consumer.incremental_unassign(&list) {
            // The group wants back what was never begun.
            Err(_) if list.count() < places.len() => self.consumer.unassign(),
            answered => answered,
        };
        answered.map_err(|error| self.fatal(&error))
    }

    /// Tells the topology that `places` end; it waits for their records, all at the same time.
    fn drain(&self, places: &[Place]) {
        thread::scope(|scope| {
            for partition in places.iter().filter_map(|place| self.partitions.get(place)) {
                let Assigned {
                    topic,
                    partition: number,
                    ..
                } = &*partition.at;
                tracing::info!(source = %self.config.name, %topic, partition = number,
                    "a partition ends");
                scope.spawn(|| self.handler.revoked(&partition.at));
            }
        });
    }

    /// Asks for the end of the partition whose turn it is.
    fn observe_one(&mut self) {
        let asked = self.handler.now();
        if asked < self.observe {
            return;
        }
        let due = self
            .partitions
            .iter_mut()
            .min_by_key(|(_, partition)| partition.observed)
            .filter(|(_, partition)| partition.observed.plus(OBSERVE_EVERY) <= asked);
        let Some((place, partition)) = due else {
            return;
        };
        partition.observed = asked;
        self.observe = asked.plus(OBSERVE_PAUSE);
        match self
            .consumer
            .fetch_watermarks(&place.0, place.1, OBSERVE_WAIT)
        {
            Ok((_, end)) => {
                // The monotonic time since the newest record was read, up to the question: what
                // was written after the question is not vouched for.
                let time = self.newest.map(|(time, read)| time.plus(asked.since(read)));
                self.handler.observed_end(&partition.at, end, time);
                self.go_on();
            }
            Err(error) => self.wait_for(format!("the broker does not answer: {error}")),
        }
    }

    /// Everything works.
    fn go_on(&mut self) {
        if self.pending.is_empty() && self.waiting.take().is_some() {
            self.handler.waiting(&self.config.name, None);
            tracing::info!(source = %self.config.name, "the source reads on");
        }
    }

    /// Something outside is not as it should be. `/readyz` learns each reason at once.
    fn wait_for(&mut self, reason: String) {
        let reason = match self.consumer.context().cause() {
            Some(cause) => format!("{reason}: {cause}"),
            None => reason,
        };
        let say = match self.waiting.take() {
            Some((known, say)) if known == reason => {
                self.waiting = Some((known, say));
                return;
            }
            Some((_, say)) => say,
            None => self.handler.now().plus(RETRY_EVERY),
        };
        self.handler
            .waiting(&self.config.name, Some(reason.clone()));
        self.waiting = Some((reason, say));
    }

    /// Says what is waited for: soon after it began, then once a minute.
    fn say_waiting(&mut self) {
        let now = self.handler.now();
        if let Some((reason, say)) = &mut self.waiting
            && now >= *say
        {
            *say = now.plus(SAY_EVERY);
            tracing::warn!(source = %self.config.name, reason = *reason, "the source waits");
            self.handler
                .waiting(&self.config.name, Some(reason.clone()));
        }
    }

    /// What an error of the client means: wait, or stop.
    fn error(&mut self, error: &KafkaError, place: Option<&Place>) -> Result<(), SourceError> {
        if let KafkaError::MessageConsumptionFatal(_) = error {
            return Err(self.fatal(error));
        }
        match (error.rdkafka_error_code(), place) {
            (Some(RDKafkaErrorCode::AutoOffsetReset), Some(place)) => {
                let held = self
                    .consumer
                    .fetch_watermarks(&place.0, place.1, OBSERVE_WAIT)
                    .ok();
                Err(position::lost(self.config, place, self.next(place), held))
            }
            (Some(RDKafkaErrorCode::PartitionEOF), _) => Ok(()),
            // The client passes over such records, or asks for them again for ever.
            (
                Some(
                    code @ (RDKafkaErrorCode::BadMessage
                    | RDKafkaErrorCode::BadCompression
                    | RDKafkaErrorCode::NotImplemented),
                ),
                Some(place),
            ) => {
                let next = self.next(place);
                Err(position::unreadable(self.config, place, next, code))
            }
            _ => {
                self.wait_for(error.to_string());
                Ok(())
            }
        }
    }

    /// The next offset to read of a partition.
    fn next(&self, place: &Place) -> i64 {
        self.partitions
            .get(place)
            .map_or(0, |partition| partition.next)
    }

    fn fatal(&self, error: &KafkaError) -> SourceError {
        let client = self.consumer.client().fatal_error();
        let reason = client.map_or_else(|| error.to_string(), |(_, reason)| reason);
        SourceError::Fatal {
            source_name: self.config.name.to_string(),
            reason,
        }
    }

    /// Ends all partitions, commits, and leaves.
    fn shut_down(mut self) {
        self.consumer.context().close();
        let places: Vec<Place> = self.partitions.keys().cloned().collect();
        self.drain(&places);
        let unanswered = self.consumer.context().next_rebalance().is_some();
        if (unanswered || !self.pending.is_empty()) && self.partitions.is_empty() {
            // The group waits for an answer, and leaving it waits for the group.
            if let Err(error) = self.consumer.unassign() {
                tracing::debug!(source = %self.config.name, %error, "while leaving the group");
            }
        }
        self.commit_last(&places);
        self.partitions.clear();
        self.committer.end();
        if self.waiting.is_some() {
            self.handler.waiting(&self.config.name, None);
        }
    }
}

/// Takes what a partition's queue holds, up to a batch, and the error that stands behind it.
fn take(partition: &mut Partition, received: Timestamp) -> (Vec<Record>, Option<KafkaError>) {
    let mut records = Vec::new();
    let mut payloads = Payloads::default();
    while records.len() < BATCH_RECORDS_MAX && payloads.bytes() < BATCH_BYTES_MAX {
        match partition.queue.poll(Duration::ZERO) {
            None => break,
            Some(Err(error)) => return (records, Some(error)),
            // Offsets rise for the rest of the process, whatever a broker sends.
            Some(Ok(message)) if message.offset() < partition.next => {}
            Some(Ok(message)) => {
                partition.next = message.offset().saturating_add(1);
                records.push(record(&message, received, &mut payloads));
            }
        }
    }
    (records, None)
}

/// A message as a record.
pub(super) fn record(
    message: &impl Message,
    received: Timestamp,
    payloads: &mut Payloads,
) -> Record {
    let broker_time = match message.timestamp() {
        BrokerTime::LogAppendTime(ms) if ms >= 0 => Some(Timestamp::from_unix_ms(ms)),
        _ => None,
    };
    Record {
        offset: message.offset(),
        payload: message.payload().map(|bytes| payloads.copy(bytes)),
        broker_time,
        append_time: broker_time.unwrap_or(received),
    }
}
