//! An alert as text for people: one block, the most telling lines first.
//!
//! What stands in an alert comes from logs, so attackers write it: control characters, direction
//! marks and invisible characters are shown by their code and never printed.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use palisade_detect::alert::{Alert, Entity, EvidenceEvent};
use palisade_detect::diagnostic::Color;
use palisade_detect::hidden::is_hidden;
use palisade_detect::rule::Level;
use serde::Serialize;
use serde_json::Value;

mod brief;

pub use brief::brief;

/// Most evidence events of one block; the others are counted.
pub const EVIDENCE_SHOWN_MAX: usize = 8;

/// Most characters of one value.
pub const VALUE_CHARS_MAX: usize = 120;

/// Most fields of one evidence event.
const FIELDS_SHOWN_MAX: usize = 8;

/// The block of an alert, with its line ends.
pub fn pretty(alert: &Alert, color: Color) -> String {
    let paint = Paint { color };
    let mut out = String::new();
    let level = word(&alert.severity).to_uppercase();
    let head = paint.with(level_style(alert.severity), &format!(" {level} "));
    let title = paint.with(Style::new().bold(), &shown(&alert.title));
    line(&mut out, &format!("{head} {title}"));
    let time = alert.last_event_at.as_ref().unwrap_or(&alert.emitted_at);
    paint.item(&mut out, "time", &shown(time));
    let rule = format!("{} ({})", shown(&alert.rule.id), shown(&alert.rule.kind));
    paint.item(&mut out, "rule", &rule);
    if let Some(attack) = attack(alert) {
        paint.item(&mut out, "attack", &attack);
    }
    paint.item(&mut out, "tenant", &tenant(alert));
    if let Some(group) = &alert.group {
        let fields: Vec<String> = group
            .fields
            .iter()
            .map(|(name, value)| pair(name, value))
            .collect();
        paint.item(&mut out, "group", &fields.join("  "));
        let window = format!(
            "{} … {}",
            shown(&group.window_start),
            shown(&group.window_end)
        );
        paint.item(&mut out, "window", &window);
    }
    for entity in alert.entities.iter() {
        paint.item(&mut out, &shown(&entity.role), &entity_text(entity));
    }
    evidence(&mut out, alert, paint);
    paint.item(&mut out, "alert", &shown(&alert.alert_id));
    if let Some(id) = &alert.external_id {
        paint.item(&mut out, "passes on", &shown(id));
    }
    out
}

/// Text without what a terminal would act on or hide, cut at [`VALUE_CHARS_MAX`] characters.
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(VALUE_CHARS_MAX));
    for (count, letter) in text.chars().enumerate() {
        if count == VALUE_CHARS_MAX {
            out.push('…');
            break;
        }
        if is_hidden(letter) {
            write!(out, "\\u{{{:x}}}", u32::from(letter)).expect("writing to a string cannot fail");
        } else {
            out.push(letter);
        }
    }
    out
}

/// The ANSI style of a level, for whoever prints levels elsewhere.
pub fn level_style(level: Level) -> Style {
    let style = Style::new().bold();
    let (back, front) = match level {
        Level::Critical => (AnsiColor::Red, AnsiColor::BrightWhite),
        Level::High => (AnsiColor::BrightRed, AnsiColor::Black),
        Level::Medium => (AnsiColor::Yellow, AnsiColor::Black),
        Level::Low => (AnsiColor::Cyan, AnsiColor::Black),
        Level::Informational => (AnsiColor::White, AnsiColor::Black),
    };
    style
        .bg_color(Some(back.into()))
        .fg_color(Some(front.into()))
}

#[derive(Clone, Copy)]
struct Paint {
    color: Color,
}

impl Paint {
    fn with(self, style: Style, text: &str) -> String {
        match self.color {
            Color::Always => format!("{style}{text}{style:#}"),
            Color::Never => text.to_owned(),
        }
    }

    fn item(self, out: &mut String, name: &str, text: &str) {
        let name = self.with(Style::new().dimmed(), &format!("{name:<11}"));
        line(out, &format!("  {name} {text}"));
    }
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn attack(alert: &Alert) -> Option<String> {
    let names: Vec<String> = alert
        .attack
        .iter()
        .filter_map(|entry| {
            let technique = entry.sub_technique.as_ref().or(entry.technique.as_ref());
            technique.or(entry.tactic.as_ref()).map(|name| shown(name))
        })
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn tenant(alert: &Alert) -> String {
    match &alert.tenant.subscription_id {
        Some(id) => format!(
            "{}, subscription {}",
            shown(&alert.tenant.tenant_id),
            shown(id)
        ),
        None => shown(&alert.tenant.tenant_id),
    }
}

fn entity_text(entity: &Entity) -> String {
    let ids: Vec<String> = entity
        .ids
        .iter()
        .map(|(name, value)| pair(name, value))
        .collect();
    format!("{} {}", word(&entity.kind), ids.join("  "))
}

fn pair(name: &str, value: &str) -> String {
    format!("{}={}", shown(name), shown(value))
}

fn evidence(out: &mut String, alert: &Alert, paint: Paint) {
    let evidence = &alert.evidence;
    let about = if evidence.approximate {
        "at least "
    } else {
        ""
    };
    let noun = if evidence.count == 1 {
        "event"
    } else {
        "events"
    };
    paint.item(
        out,
        "evidence",
        &format!("{about}{} {noun}", evidence.count),
    );
    for event in evidence.events.iter().take(EVIDENCE_SHOWN_MAX) {
        line(out, &format!("    {}", event_text(event, paint)));
    }
    let more = evidence.events.len().saturating_sub(EVIDENCE_SHOWN_MAX);
    if more > 0 {
        line(out, &format!("    … and {more} more in the alert"));
    }
}

fn event_text(event: &EvidenceEvent, paint: Paint) -> String {
    let origin = &event.origin;
    let place = format!(
        "{} {}@{} #{}",
        shown(&origin.source),
        origin.partition,
        origin.offset,
        shown(&origin.index)
    );
    let mut parts = vec![paint.with(Style::new().dimmed(), &place)];
    parts.extend(event.time.as_deref().map(shown));
    if event.time_clamped {
        parts.push("(the broker's time)".into());
    }
    parts.extend(
        event
            .log_type
            .as_ref()
            .or(event.logsource.as_ref())
            .map(|name| shown(name)),
    );
    for (name, value) in event.fields.iter().take(FIELDS_SHOWN_MAX) {
        parts.push(pair(name, &value_text(value)));
    }
    if event.fields.len() > FIELDS_SHOWN_MAX {
        parts.push("…".to_owned());
    }
    parts.join("  ")
}

fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The name that a plain enum has in the alert's JSON.
fn word(name: &impl Serialize) -> String {
    match serde_json::to_value(name) {
        Ok(Value::String(text)) => text,
        _ => String::new(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// An alert with everything that a block shows.
    pub(crate) fn alert() -> Alert {
        serde_json::from_value(json!({
            "schema": "palisade.alert/1",
            "alert_id": "0f5c7a1e-0000-8000-8000-000000000001",
            "revision": 0,
            "activity": "create",
            "dedupe_key": "0f5c7a1e-0000-8000-8000-0000000000dd",
            "group": {
                "fields": {"UserPrincipalName": "alice@contoso.example"},
                "window_start": "2026-03-02T08:10:00.0000000Z",
                "window_end": "2026-03-02T08:20:00.0000000Z"
            },
            "emitted_at": "2026-03-02T08:15:03.0000000Z",
            "last_event_at": "2026-03-02T08:15:00.0000000Z",
            "title": "Sign-in denied\u{1b}[2J\u{202e}, then granted",
            "severity": "high",
            "status": "new",
            "rule": {
                "id": "7d6f1c0e-3f0b-4a35-9a55-2f4b1f0f1c11", "version": "v", "name": "n",
                "type": "event_count", "level": "high"
            },
            "attack": [{"tactic": "credential-access"}, {"technique": "T1621"}],
            "tenant": {"tenant_id": "default", "subscription_id": "11111111-2222"},
            "entities": [
                {"id": 1, "kind": "account", "role": "actor",
                 "ids": {"upn": "alice@contoso.example"}},
                {"id": 2, "kind": "ip", "role": "source", "ids": {"address": "203.0.113.7"}}
            ],
            "evidence": {"count": 12, "approximate": false, "events": [
                {"event_id": "e1", "time": "2026-03-02T08:15:00.0000000Z",
                 "log_type": "entra_signin",
                 "origin": {"source": "hub", "partition": 3, "offset": 1042, "index": "2"},
                 "fields": {"ResultType": "500121", "Location": "a\nb"},
                 "excerpt": {"big": "x".repeat(3_000)}},
                {"event_id": "e2",
                 "origin": {"source": "hub", "partition": 0, "offset": 7, "index": "0"},
                 "excerpt": "{\"cut", "cut": true}
            ]},
            "product": {"vendor": "Palisade", "name": "palisade", "version": "0.1.0"}
        }))
        .expect("a valid alert")
    }

    #[test]
    fn a_block_shows_who_what_where_and_nothing_that_a_terminal_acts_on() {
        let text = pretty(&alert(), Color::Never);
        insta::assert_snapshot!(text, @r"
         HIGH  Sign-in denied\u{1b}[2J\u{202e}, then granted
          time        2026-03-02T08:15:00.0000000Z
          rule        7d6f1c0e-3f0b-4a35-9a55-2f4b1f0f1c11 (event_count)
          attack      credential-access, T1621
          tenant      default, subscription 11111111-2222
          group       UserPrincipalName=alice@contoso.example
          window      2026-03-02T08:10:00.0000000Z … 2026-03-02T08:20:00.0000000Z
          actor       account upn=alice@contoso.example
          source      ip address=203.0.113.7
          evidence    12 events
            hub 3@1042 #2  2026-03-02T08:15:00.0000000Z  entra_signin  Location=a\u{a}b  ResultType=500121
            hub 0@7 #0
          alert       0f5c7a1e-0000-8000-8000-000000000001
        ");
    }

    #[test]
    fn colours_stand_around_the_level_only_where_they_are_wanted() {
        let text = pretty(&alert(), Color::Always);
        assert!(text.starts_with("\u{1b}["), "{text}");
        assert!(
            !text.contains("\u{1b}[2J"),
            "the title's own escape is shown by its code"
        );
    }

    #[test]
    fn long_values_are_cut_on_a_character() {
        let text = shown(&"é".repeat(VALUE_CHARS_MAX + 1));
        assert_eq!(text.chars().count(), VALUE_CHARS_MAX + 1);
        assert!(text.ends_with('…'));
    }
}
