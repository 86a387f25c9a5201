//! Generated matches: who, when, which rule, which value; the same everywhere.

/// A line of the bench: what is computed over how many keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// What is computed.
    pub(crate) kind: Kind,
    /// Distinct keys.
    pub(crate) keys: u64,
    /// Matching events.
    pub(crate) events: u64,
    /// Seconds over which the events are spread.
    pub(crate) seconds: u64,
}

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `event_count >= 10`.
    EventCount,
    /// `value_count >= 10`.
    ValueCount,
    /// Two rules.
    Temporal,
    /// Two rules in order.
    TemporalOrdered,
}

impl Kind {
    /// Sigma's name of it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EventCount => "event_count",
            Self::ValueCount => "value_count",
            Self::Temporal => "temporal",
            Self::TemporalOrdered => "temporal_ordered",
        }
    }
}

/// One matching event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    /// Its number, from 0.
    pub(crate) number: u64,
    /// The key's number.
    pub(crate) key: u64,
    /// What differs, for `value_count`.
    pub(crate) value: u64,
    /// Which of two rules it meets.
    pub(crate) rule: u32,
    /// Microseconds after the begin.
    pub(crate) at_us: u64,
}

/// Length of the window in seconds, which is how long an alert keeps its group silent as well.
pub(crate) const TIMESPAN: u64 = 600;
/// The time of the first event, in seconds since 1970.
pub(crate) const BEGIN: u64 = 1_772_409_600;
/// Events made at a time; what is made of them is dropped before the next.
pub(crate) const BLOCK: u64 = 4_096;

impl Shape {
    /// The events in blocks, in order of time.
    pub(crate) fn blocks(self) -> impl Iterator<Item = Vec<Event>> {
        let starts = (0..self.events).step_by(usize::try_from(BLOCK).unwrap_or(1));
        starts.map(move |from| {
            let until = self.events.min(from + BLOCK);
            (from..until).map(|number| self.event(number)).collect()
        })
    }

    fn event(self, number: u64) -> Event {
        let dice = mixed(number);
        Event {
            number,
            key: dice % self.keys,
            value: mixed(dice) % 1_000_000,
            // Seven failed sign-ins of ten, as in the study's records.
            rule: u32::from(mixed(dice ^ 1) % 10 >= 7),
            at_us: number * self.seconds * 1_000_000 / self.events,
        }
    }
}

impl Event {
    /// Its time in microseconds since 1970.
    pub(crate) fn time_us(self) -> i64 {
        i64::try_from(BEGIN * 1_000_000 + self.at_us).unwrap_or(i64::MAX)
    }

    /// Who signs in: the key, or what differs for one address.
    pub(crate) fn user(self, kind: Kind) -> String {
        user(if kind == Kind::ValueCount {
            self.value
        } else {
            self.key
        })
    }

    /// From where: the other one of both.
    pub(crate) fn address(self, kind: Kind) -> String {
        let number = if kind == Kind::ValueCount {
            self.key
        } else {
            self.value
        };
        let [.., a, b, c] = number.to_be_bytes();
        format!("10.{a}.{b}.{c}")
    }

    /// What it is grouped by.
    pub(crate) fn group(self, kind: Kind) -> String {
        match kind {
            Kind::ValueCount => self.address(kind),
            _ => self.user(kind),
        }
    }

    /// `ResultType` of the sign-in.
    pub(crate) fn result(self, kind: Kind) -> &'static str {
        match kind {
            Kind::Temporal | Kind::TemporalOrdered if self.rule == 1 => "0",
            _ => "50126",
        }
    }

    /// A lean sign-in.
    pub(crate) fn json(self, kind: Kind) -> String {
        format!(
            r#"{{"time":"2026-03-02T00:00:00.0000000Z","resourceId":"/tenants/00000000-0000-0000-0000-000000000001/providers/Microsoft.aadiam","operationName":"Sign-in activity","category":"SignInLogs","resultType":"{}","callerIpAddress":"{}","level":4,"properties":{{"id":"{:032x}","userPrincipalName":"{}","appDisplayName":"Azure Portal"}}}}"#,
            self.result(kind),
            self.address(kind),
            self.number,
            self.user(kind),
        )
    }
}

/// `SplitMix64`'s mixing of one number.
fn mixed(number: u64) -> u64 {
    let mut dice = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    dice = (dice ^ (dice >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    dice = (dice ^ (dice >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    dice ^ (dice >> 31)
}

/// A user's name, of a usual length.
pub(crate) fn user(number: u64) -> String {
    let scattered = number.wrapping_mul(0x9E37_79B9) & 0xFFFF_FFFF;
    format!("{scattered:08x}.someone{number}@contoso.onmicrosoft.com")
}
