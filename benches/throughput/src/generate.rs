//! Seeded Azure records: the same bytes for the same options, on every machine.
//!
//! Field names and nesting follow the public schemas of the Azure Monitor activity log, the Entra ID
//! diagnostic logs, alerts of Defender for Cloud, and flow logs of network security groups. Every value
//! is made up. Of 1,000 records 450 are sign-ins, 290 activities, 130 flow logs, 100 audits, 20 alerts
//! and 10 risk detections, 4.2 KB on average; 5 in 1,000 of the kinds that rules name carry a value that
//! a SigmaHQ rule looks for.

use std::io::{self, BufWriter, Write};

mod rng;
mod parts;
mod signin;
mod activity;
mod audit;
mod risk;
mod defender;
mod flow;

use parts::{Text, put};
use rng::Rng;

/// Event time of the first record, in milliseconds since 1970.
const BEGIN_MS: u64 = 1_790_000_000_000;
/// Time between two records.
const STEP_MS: u64 = 2;
/// Bytes gathered before they are written.
const BUFFER: usize = 1 << 20;

/// How records stand in the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub(crate) enum Shape {
    /// One record a line.
    Records,
    /// One Event Hubs message a line, `{"records":[…]}`, of 1 to 100 records of one kind.
    Envelopes,
}

/// Which kinds of records there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub(crate) enum Mix {
    /// All.
    All,
    /// No flow logs: their records are many events for Palisade and one for other engines.
    Flowless,
}

/// What is generated.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Options {
    /// How many records.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) records: u64,
    /// Seed of everything.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How records stand in the output.
    #[arg(long, value_enum, default_value_t = Shape::Records)]
    pub(crate) shape: Shape,
    /// Which kinds of records there are.
    #[arg(long, value_enum, default_value_t = Mix::All)]
    pub(crate) mix: Mix,
    /// Share of records that carry a value which some SigmaHQ rule looks for.
    #[arg(long, default_value_t = 0.005)]
    pub(crate) telling: f64,
    /// How many users there are.
    #[arg(long, default_value_t = 5_000)]
    pub(crate) users: u64,
    /// How many client addresses there are.
    #[arg(long, default_value_t = 20_000)]
    pub(crate) addresses: u64,
}

impl Options {
    /// The records that all figures are taken on.
    pub(crate) fn standard(records: u64, shape: Shape, mix: Mix) -> Self {
        Self {
            records,
            seed: 1,
            shape,
            mix,
            telling: 0.005,
            users: 5_000,
            addresses: 20_000,
        }
    }
}

/// Kinds of records.
#[derive(Clone, Copy)]
enum Kind {
    Signin,
    Activity,
    Audit,
    Risk,
    Defender,
    Flow,
}

impl Kind {
    /// All, with their shares of 1,000 records. Flow logs stand last, so that leaving them out leaves
    /// the other shares as they are.
    const SHARES: [(Self, u64); 6] = [
        (Self::Signin, 450),
        (Self::Activity, 290),
        (Self::Audit, 100),
        (Self::Risk, 10),
        (Self::Defender, 20),
        (Self::Flow, 130),
    ];

    fn draw(rng: &mut Rng, mix: Mix) -> Self {
        let all = match mix {
            Mix::All => 1_000,
            Mix::Flowless => 870,
        };
        let mut rest = rng.below(all);
        for (kind, share) in Self::SHARES {
            if rest < share {
                return kind;
            }
            rest -= share;
        }
        unreachable!("the shares make up all records")
    }

    /// The Sigma service that a shipper would name.
    fn service(self) -> &'static str {
        match self {
            Self::Signin => "signinlogs",
            Self::Activity => "activitylogs",
            Self::Audit => "auditlogs",
            Self::Risk => "riskdetection",
            Self::Defender => "defender",
            Self::Flow => "nsgflow",
        }
    }
}

/// Writes the records.
///
/// # Errors
/// When `out` refuses.
pub(crate) fn write(options: &Options, out: impl Write) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(BUFFER, out);
    let mut rng = Rng::new(options.seed);
    let mut line = Text::default();
    let mut done = 0;
    while done < options.records {
        line.clear();
        done += match options.shape {
            Shape::Records => {
                // A line is an envelope of one for the generator, whose kind is drawn and not used.
                Kind::draw(&mut rng, options.mix);
                let kind = Kind::draw(&mut rng, options.mix);
                record(&mut rng, options, kind, done, &mut line);
                1
            }
            Shape::Envelopes => envelope(&mut rng, options, done, &mut line),
        };
        out.write_all(line.as_str().as_bytes())?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// One message; returns how many records it has.
fn envelope(rng: &mut Rng, options: &Options, done: u64, text: &mut Text) -> u64 {
    let drawn = match rng.below(10) {
        0..=2 => 1,
        3..=6 => 2 + rng.below(9),
        7..=8 => 10 + rng.below(30),
        _ => 40 + rng.below(61),
    };
    let count = drawn.min(options.records - done);
    let kind = Kind::draw(rng, options.mix);
    put!(text, r#"{{"records":["#);
    for i in 0..count {
        text.comma(i);
        record(rng, options, kind, done + i, text);
    }
    put!(text, "]}}");
    count
}

/// Record number `number`. Product and service stand in front, as a shipper puts them there, so that
/// engines which route by fields of the record can.
fn record(rng: &mut Rng, options: &Options, kind: Kind, number: u64, text: &mut Text) {
    let at = BEGIN_MS + number * STEP_MS;
    put!(
        text,
        r#"{{"product":"azure","service":"{}","#,
        kind.service()
    );
    let telling = rng.chance(options.telling);
    match kind {
        Kind::Signin => signin::write(rng, options, at, telling, text),
        Kind::Activity => activity::write(rng, options, at, telling, text),
        Kind::Audit => audit::write(rng, options, at, telling, text),
        Kind::Risk => risk::write(rng, options, at, telling, text),
        Kind::Defender => defender::write(rng, options, at, text),
        Kind::Flow => flow::write(rng, at, text),
    }
    put!(text, "}}");
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    /// Figures of different days are only comparable on the same bytes.
    #[test]
    fn the_bytes_of_seed_1_never_change() {
        let mut bytes = Vec::new();
        write(
            &Options::standard(100_000, Shape::Records, Mix::All),
            &mut bytes,
        )
        .unwrap();
        assert_eq!(Sha256::digest(&bytes)[..4], [0xe4, 0x61, 0xcd, 0xe9]);
    }
}
