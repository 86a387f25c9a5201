//! An alert in a few short lines: what a person reads of many alerts in a row.

use anstyle::Style;
use palisade_detect::alert::{Alert, Entity, EvidenceEvent};
use palisade_detect::diagnostic::Color;
use palisade_detect::event::EntityKind;

use super::{Paint, attack, level_style, line, shown, value_text, word};

/// Most evidence events that are shown; the others are counted.
const EVENTS_SHOWN_MAX: usize = 3;

/// Most names in one list; the others are counted.
const NAMES_SHOWN_MAX: usize = 3;

/// Characters of a line at which the rest is cut.
const LINE_CHARS_MAX: usize = 96;

/// The lines of an alert, with their line ends: level and title, who from where on what, and the
/// events that made it.
pub fn brief(alert: &Alert, color: Color) -> String {
    let paint = Paint { color };
    let mut out = String::new();
    let level = word(&alert.severity).to_uppercase();
    let head = paint.with(level_style(alert.severity), &format!(" {level} "));
    let title = paint.with(Style::new().bold(), &shown(&alert.title));
    let attack = attack(alert).unwrap_or_default();
    let attack = paint.with(Style::new().dimmed(), &attack);
    line(&mut out, format!("{head} {title}  {attack}").trim_end());
    let about: Vec<String> = [
        ("", names(alert, is_actor)),
        ("from ", names(alert, is_source)),
        ("on ", names(alert, is_target)),
    ]
    .into_iter()
    .filter_map(|(word, names)| Some(format!("{word}{}", names?)))
    .collect();
    paint.brief_item(&mut out, "who", &about.join(" "));
    let evidence = &alert.evidence;
    for event in in_time(&evidence.events).take(EVENTS_SHOWN_MAX) {
        paint.brief_item(&mut out, &clock_time(event), &event_line(event));
    }
    let more = evidence
        .count
        .saturating_sub(evidence.events.len().min(EVENTS_SHOWN_MAX) as u64);
    if more > 0 {
        paint.brief_item(&mut out, "", &format!("… and {more} more events"));
    }
    out
}

impl Paint {
    fn brief_item(self, out: &mut String, name: &str, text: &str) {
        let name = self.with(Style::new().dimmed(), &format!("{name:<8}"));
        line(out, &format!("   {name}  {}", cut(text)));
    }
}

/// The events in the order in which they happened.
fn in_time(events: &[EvidenceEvent]) -> impl Iterator<Item = &EvidenceEvent> {
    let mut events: Vec<_> = events.iter().collect();
    events.sort_by(|one, other| one.time.cmp(&other.time));
    events.into_iter()
}

/// Hours to seconds of an RFC 3339 time.
fn clock_time(event: &EvidenceEvent) -> String {
    let time = event.time.as_deref().unwrap_or_default();
    shown(time.get(11..19).unwrap_or(time))
}

/// Log type and fields by the last part of their names; where neither is known, the place.
fn event_line(event: &EvidenceEvent) -> String {
    let kind = event.log_type.as_ref().or(event.logsource.as_ref());
    let kind = kind.map(|name| shown(name));
    let fields = event.fields.iter().map(|(name, value)| {
        let last = name.rsplit('.').next().unwrap_or(name);
        format!("{}={}", shown(last), shown(&value_text(value)))
    });
    let parts: Vec<String> = kind.into_iter().chain(fields).collect();
    if parts.is_empty() {
        let origin = &event.origin;
        return format!(
            "{} {}@{}",
            shown(&origin.source),
            origin.partition,
            origin.offset
        );
    }
    parts.join("  ")
}

fn is_actor(entity: &Entity) -> bool {
    entity.role == "actor"
}

fn is_source(entity: &Entity) -> bool {
    entity.kind == EntityKind::Ip && entity.role != "destination"
}

fn is_target(entity: &Entity) -> bool {
    entity.role == "target" || entity.role == "destination"
}

/// The names of the entities that are meant, each once, at most [`NAMES_SHOWN_MAX`].
fn names(alert: &Alert, is_meant: impl Fn(&Entity) -> bool) -> Option<String> {
    let mut names: Vec<String> = Vec::new();
    for entity in alert.entities.iter().filter(|entity| is_meant(entity)) {
        let name = name(entity);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let more = names.len().saturating_sub(NAMES_SHOWN_MAX);
    names.truncate(NAMES_SHOWN_MAX);
    let mut text = names.join(", ");
    if more > 0 {
        text = format!("{text} and {more} more");
    }
    (!text.is_empty()).then_some(text)
}

/// What people call an entity; of a resource id the last two parts.
fn name(entity: &Entity) -> String {
    const TOLD_BY: [&str; 6] = ["upn", "address", "name", "resource_id", "url", "object_id"];
    let known = TOLD_BY
        .iter()
        .find_map(|id| Some((*id, entity.ids.get(*id)?)));
    let Some((id, value)) = known.or_else(|| {
        let (id, value) = entity.ids.first_key_value()?;
        Some((id.as_str(), value))
    }) else {
        return word(&entity.kind);
    };
    if id != "resource_id" {
        return shown(value);
    }
    let parts: Vec<&str> = value.rsplit('/').take(2).collect();
    let last: Vec<&str> = parts.into_iter().rev().collect();
    shown(&last.join("/"))
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LINE_CHARS_MAX {
        return text.to_owned();
    }
    let mut text: String = text.chars().take(LINE_CHARS_MAX - 1).collect();
    text.push('…');
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::alert;
    use super::*;

    #[test]
    fn a_few_lines_say_who_from_where_and_what_happened() {
        let mut alert = alert();
        alert.entities[0].role = "actor".to_owned();
        insta::assert_snapshot!(brief(&alert, Color::Never), @r"
         HIGH  Sign-in denied\u{1b}[2J\u{202e}, then granted  credential-access, T1621
           who       alice@contoso.example from 203.0.113.7
                     hub 0@7
           08:15:00  entra_signin  Location=a\u{a}b  ResultType=500121
                     … and 10 more events
        ");
    }

    #[test]
    fn long_lists_are_counted_and_long_lines_are_cut() {
        let mut alert = alert();
        for number in 0..9 {
            let mut entity = alert.entities[0].clone();
            entity
                .ids
                .insert("upn".to_owned(), format!("user{number}@contoso.example"));
            alert.entities.push(entity);
        }
        let value = serde_json::Value::String("x".repeat(200));
        alert.evidence.events[0]
            .fields
            .insert("A".to_owned(), value);
        let text = brief(&alert, Color::Never);
        assert!(text.contains("user1@contoso.example and 7 more"), "{text}");
        let longest = text.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(LINE_CHARS_MAX + 16), "{text}");
    }
}
