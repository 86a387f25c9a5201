//! What Palisade says about itself: operational alerts, through the same log and sinks as all others.
//!
//! Here are their kinds and their form; who raises them hands a [`Notice`] to
//! [`Alarms`](super::alarms::Alarms), or puts its alert into the step that it belongs to. Every kind has
//! a section of its own name in `docs/runbook.md`, to which its alerts lead.

use std::collections::BTreeMap;

use palisade_detect::alert::{
    Activity, Alert, Evidence, Link, Product, RuleInfo, SCHEMA, Shared, Tenant,
};
use palisade_detect::id::IdHasher;
use palisade_detect::rule::Level;
use palisade_detect::time::Timestamp;

use crate::log::AlertRow;

/// Whose alerts those about Palisade itself are.
pub const TENANT: &str = "palisade";

/// The type of their rule.
pub const OPERATIONAL: &str = "operational";

/// Where the page stands that says what to do.
const RUNBOOK: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/runbook.md");

/// Longest description of an operational alert; the process log has the whole.
const DESCRIPTION_BYTES_MAX: usize = 4 * 1024;

/// What an operational alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The rules are others from here on.
    RulesChanged,
    /// Rules could not be loaded or honoured.
    RuleLoadFailed,
    /// What a replaced correlation was is not known any more.
    RuleVersionMissing,
    /// A source partition is silent while others go on; correlations no longer wait for it.
    SourceStalled,
    /// Records were removed at the source before they were read.
    TelemetryGap,
    /// Records may be removed at the source before they are read.
    RetentionRisk,
    /// A topic or hub was made anew, so that its offsets begin again.
    IncarnationChanged,
    /// A log type that is expected has fallen silent.
    LogTypeSilent,
    /// Many events of a source state no time, or one that cannot be true.
    TimeClampedRate,
    /// Too much would become a dead letter.
    DeadLetterBreaker,
    /// A sink takes nothing until an operator acts.
    SinkBlocked,
    /// The log waits for space.
    StorageFull,
    /// Space is running out, or rows went before their time.
    StorageRisk,
    /// A part of the log is missing or damaged.
    StateGap,
    /// The correlations' state was built anew from what the log holds.
    StateRebuilt,
    /// No snapshot was written for long.
    SnapshotStale,
    /// A correlation forgets groups, as there are too many.
    Overload,
    /// Two processes were started on one state.
    SecondInstance,
}

impl Kind {
    /// All of them, in the order of the runbook.
    pub const ALL: [Self; 18] = [
        Self::RulesChanged,
        Self::RuleLoadFailed,
        Self::RuleVersionMissing,
        Self::SourceStalled,
        Self::TelemetryGap,
        Self::RetentionRisk,
        Self::IncarnationChanged,
        Self::LogTypeSilent,
        Self::TimeClampedRate,
        Self::DeadLetterBreaker,
        Self::SinkBlocked,
        Self::StorageFull,
        Self::StorageRisk,
        Self::StateGap,
        Self::StateRebuilt,
        Self::SnapshotStale,
        Self::Overload,
        Self::SecondInstance,
    ];

    /// Its name: in ids, labels and metrics, and as the heading of its section.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RulesChanged => "rules_changed",
            Self::RuleLoadFailed => "rule_load_failed",
            Self::RuleVersionMissing => "rule_version_missing",
            Self::SourceStalled => "source_stalled",
            Self::TelemetryGap => "telemetry_gap",
            Self::RetentionRisk => "retention_risk",
            Self::IncarnationChanged => "incarnation_changed",
            Self::LogTypeSilent => "log_type_silent",
            Self::TimeClampedRate => "time_clamped_rate",
            Self::DeadLetterBreaker => "dead_letter_breaker",
            Self::SinkBlocked => "sink_blocked",
            Self::StorageFull => "storage_full",
            Self::StorageRisk => "storage_risk",
            Self::StateGap => "state_gap",
            Self::StateRebuilt => "state_rebuilt",
            Self::SnapshotStale => "snapshot_stale",
            Self::Overload => "overload",
            Self::SecondInstance => "second_instance",
        }
    }

    /// Whether anything in this version finds it, so that it can be said at all.
    pub const fn is_detected(self) -> bool {
        !matches!(
            self,
            Self::RetentionRisk | Self::IncarnationChanged | Self::LogTypeSilent | Self::Overload
        )
    }

    /// How bad it is.
    pub const fn level(self) -> Level {
        match self {
            Self::RulesChanged => Level::Informational,
            Self::TimeClampedRate | Self::SnapshotStale => Level::Medium,
            Self::RuleLoadFailed
            | Self::RuleVersionMissing
            | Self::SourceStalled
            | Self::RetentionRisk
            | Self::IncarnationChanged
            | Self::LogTypeSilent
            | Self::StorageRisk
            | Self::StateRebuilt
            | Self::Overload
            | Self::SecondInstance => Level::High,
            Self::TelemetryGap
            | Self::DeadLetterBreaker
            | Self::SinkBlocked
            | Self::StorageFull
            | Self::StateGap => Level::Critical,
        }
    }

    /// The first thing to do about it; the runbook has the rest.
    const fn advice(self) -> &'static str {
        match self {
            Self::RulesChanged => "compare the change with who was to make one",
            Self::RuleLoadFailed => "run `palisade check`, and mend what it names",
            Self::RuleVersionMissing => "nothing: windows that were open begin anew",
            Self::SourceStalled => "find out why nothing is read from the partition",
            Self::TelemetryGap => "raise the retention of the topic, and search the gap elsewhere",
            Self::RetentionRisk => "give the process more cores, or the topic more retention",
            Self::IncarnationChanged => "find out who made the topic anew",
            Self::LogTypeSilent => "look whether the export of this log type still runs",
            Self::TimeClampedRate => "look at the clock and the time format of who writes the logs",
            Self::DeadLetterBreaker => "look at what is refused with `palisade dead list`",
            Self::SinkBlocked => "put credentials or configuration of the sink right",
            Self::StorageFull => "free space on the disk, or raise `state.max_bytes`",
            Self::StorageRisk => "end the program that holds the database, or add space",
            Self::StateGap => "look for the cause at the disk, and search the gap elsewhere",
            Self::StateRebuilt => "find out what became of the snapshots",
            Self::SnapshotStale => "look why the store takes no snapshot",
            Self::Overload => "look at who causes so many groups",
            Self::SecondInstance => "stop one of the two processes",
        }
    }

    /// The address of its section in the runbook.
    pub fn runbook(self) -> String {
        format!("{RUNBOOK}#{}", self.as_str())
    }
}

/// Something to be said about Palisade itself.
///
/// Kind, subject and bucket make the id: whoever says the same again must give the same three, so that
/// a repeat is recognised. None of the texts holds a secret or the content of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is.
    pub kind: Kind,
    /// What it is about, such as `sink alerts`.
    pub subject: String,
    /// Which occurrence it is: a position, or a time of the data. Never the time of this machine.
    pub bucket: i64,
    /// One line.
    pub title: String,
    /// What happened, and what it costs.
    pub description: String,
    /// When it happened by the data's own time, if that is known.
    pub time: Option<Timestamp>,
    /// Figures for programs.
    pub labels: BTreeMap<String, String>,
}

impl Notice {
    /// A notice without labels and time.
    pub fn new(
        kind: Kind,
        (subject, bucket): (impl Into<String>, i64),
        title: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            subject: subject.into(),
            bucket,
            title: title.into(),
            description: description.into(),
            time: None,
            labels: BTreeMap::new(),
        }
    }

    /// The same with a figure.
    #[must_use]
    pub fn with_label(mut self, name: &str, value: &impl ToString) -> Self {
        self.labels.insert(name.to_owned(), value.to_string());
        self
    }

    /// The same with a time of the data.
    #[must_use]
    pub fn at(mut self, time: Timestamp) -> Self {
        self.time = Some(time);
        self
    }

    /// The alert that says it. `deployment` keeps the alerts of several Palisades apart.
    pub fn alert(self, deployment: &str, now: String) -> Alert {
        let kind = self.kind.as_str();
        let hash = |tag: &str| IdHasher::new(tag).text(deployment).text(kind);
        let id = hash("op1").text(&self.subject).number(self.bucket).finish();
        let time = self.time.map(|time| time.to_string());
        let mut description = self.description;
        description.truncate(description.floor_char_boundary(DESCRIPTION_BYTES_MAX));
        let mut labels = self.labels;
        labels.insert("subject".to_owned(), self.subject.clone());
        Alert {
            schema: SCHEMA.to_owned(),
            alert_id: id.to_string(),
            revision: 0,
            activity: Activity::Create,
            external_id: None,
            dedupe_key: hash("dk1").text(&self.subject).finish().to_string(),
            group: None,
            emitted_at: now,
            first_event_at: time.clone(),
            last_event_at: time,
            title: self.title,
            description: Some(description.into()),
            severity: self.kind.level(),
            status: "new".to_owned(),
            rule: RuleInfo {
                id: format!("palisade.{kind}"),
                version: IdHasher::new("rv1")
                    .text(TENANT)
                    .text(kind)
                    .finish()
                    .to_string(),
                name: kind.to_owned(),
                kind: OPERATIONAL.to_owned(),
                level: Some(self.kind.level()),
                author: None,
                references: Vec::new(),
                false_positives: Vec::new(),
                tags: Vec::new(),
            }
            .into(),
            attack: Shared::default(),
            tenant: Tenant {
                tenant_id: TENANT.to_owned(),
                subscription_id: None,
            },
            entities: Shared::default(),
            observables: Shared::default(),
            evidence: Evidence {
                count: 0,
                approximate: false,
                events: Vec::new(),
            },
            enrichments: Vec::new(),
            links: vec![Link {
                rel: "runbook".to_owned(),
                href: self.kind.runbook(),
            }],
            remediation: vec![self.kind.advice().to_owned()],
            labels,
            product: Product::palisade(),
            truncated: Vec::new(),
        }
    }
}

/// An alert as the log takes it.
pub fn row(alert: Alert) -> AlertRow {
    AlertRow {
        body: alert.to_line().into(),
        alert_id: alert.alert_id,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PAGE: &str = include_str!("../../docs/runbook.md");

    /// What the runbook says where nothing finds a kind.
    const NOT_YET: &str = "Nothing in this version finds it.";

    /// The sections of the runbook, by heading.
    fn sections() -> Vec<(&'static str, &'static str)> {
        let sections = PAGE.split("\n## ").skip(1);
        sections
            .map(|section| section.split_once('\n').unwrap())
            .collect()
    }

    #[test]
    fn every_kind_has_its_section_of_the_runbook_and_every_section_its_kind() {
        let headings: Vec<&str> = sections().iter().map(|(heading, _)| *heading).collect();
        assert_eq!(headings, Kind::ALL.map(Kind::as_str));
        let links: BTreeSet<String> = Kind::ALL.map(Kind::runbook).into();
        assert_eq!(links.len(), Kind::ALL.len());
    }

    #[test]
    fn a_section_says_what_it_means_costs_asks_for_and_shows_in() {
        for ((heading, text), kind) in sections().into_iter().zip(Kind::ALL) {
            for part in ["**Means**", "**Lost**", "**Do**", "**Shows in**"] {
                assert!(text.contains(part), "{heading}: {part}");
            }
            assert_eq!(text.contains(NOT_YET), !kind.is_detected(), "{heading}");
            let level = format!("{:?}", kind.level()).to_lowercase();
            assert!(text.contains(&format!("`{level}`")), "{heading}: {level}");
        }
    }

    #[test]
    fn metrics_of_the_runbook_are_metrics_that_there_are() {
        let known = crate::metrics::reference();
        for word in PAGE.split('`').skip(1).step_by(2) {
            let name = word.split('{').next().unwrap_or(word);
            if name.starts_with("palisade_") {
                assert!(known.contains(&format!("`{name}`")), "{name}");
            }
        }
    }

    #[test]
    fn an_id_is_made_of_deployment_kind_subject_and_bucket_alone() {
        let notice = |kind, subject: &str, bucket, text: &str| {
            Notice::new(kind, (subject, bucket), text, text)
        };
        let first = notice(Kind::SinkBlocked, "sink a", 7, "one").alert("d", "t".to_owned());
        let again = notice(Kind::SinkBlocked, "sink a", 7, "two").alert("d", "u".to_owned());
        assert_eq!(first.alert_id, again.alert_id);
        let others = [
            notice(Kind::StateGap, "sink a", 7, "one").alert("d", "t".to_owned()),
            notice(Kind::SinkBlocked, "sink b", 7, "one").alert("d", "t".to_owned()),
            notice(Kind::SinkBlocked, "sink a", 8, "one").alert("d", "t".to_owned()),
            notice(Kind::SinkBlocked, "sink a", 7, "one").alert("e", "t".to_owned()),
        ];
        let ids: BTreeSet<&str> = others.iter().map(|alert| &*alert.alert_id).collect();
        assert!(ids.len() == 4 && !ids.contains(&*first.alert_id));
        assert_eq!(others[2].dedupe_key, first.dedupe_key, "one incident");
    }

    #[test]
    fn an_alert_leads_to_its_section_and_says_what_to_do() {
        let notice = Notice::new(Kind::StateGap, ("alerts log", 3), "Gone", "3 to 9")
            .with_label("from", &3)
            .at(Timestamp::from_unix_seconds(1));
        let alert = notice.alert("d", "t".to_owned());
        assert!(alert.links[0].href.ends_with("docs/runbook.md#state_gap"));
        assert_eq!(alert.rule.id, "palisade.state_gap");
        assert_eq!(alert.labels["from"], "3");
        assert_eq!(alert.labels["subject"], "alerts log");
        assert_eq!(alert.severity, Level::Critical);
        assert!(!alert.remediation.is_empty());
        assert!(
            alert
                .first_event_at
                .unwrap()
                .starts_with("1970-01-01T00:00:01")
        );
    }
}
