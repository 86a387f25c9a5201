//! Smaller forms of an alert, for sinks that take no more than so many bytes.

use palisade_detect::alert::Alert;

/// How much is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The excerpts of all events but the trigger.
    OtherExcerpts,
    /// All excerpts.
    Excerpts,
    /// All evidence but the trigger, and its fields; what the rule's author wrote around the rule.
    Evidence,
}

impl Cut {
    /// All of them, the gentlest first.
    pub const ALL: [Self; 3] = [Self::OtherExcerpts, Self::Excerpts, Self::Evidence];
}

/// The alert in at most `bytes_max` bytes, cut no more than needed and with what was cut named in
/// `truncated`; `None` where no cut is enough, or the body is no alert.
pub fn to_fit(body: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    let mut alert: Alert = serde_json::from_slice(body).ok()?;
    Cut::ALL.into_iter().find_map(|cut| {
        apply(&mut alert, cut);
        Some(alert.to_line()).filter(|line| line.len() <= bytes_max)
    })
}

fn apply(alert: &mut Alert, cut: Cut) {
    let events = &mut alert.evidence.events;
    let name = match cut {
        Cut::OtherExcerpts => {
            for event in events.iter_mut().skip(1) {
                event.excerpt = None;
            }
            "evidence.events.excerpt"
        }
        Cut::Excerpts => {
            for event in events.iter_mut() {
                event.excerpt = None;
            }
            "evidence.events.excerpt"
        }
        Cut::Evidence => {
            events.truncate(1);
            for event in events.iter_mut() {
                event.fields.clear();
            }
            alert.description = None;
            alert.rule.references.clear();
            alert.rule.false_positives.clear();
            "evidence.events"
        }
    };
    if !alert.truncated.iter().any(|known| known == name) {
        alert.truncated.push(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::render::tests::alert;

    #[test]
    fn an_alert_is_cut_no_more_than_needed_and_says_so() {
        let mut large = alert();
        large.evidence.events[1].excerpt = Some(Value::from("y".repeat(5_000)).into());
        let line = large.to_line();
        let cut = |bytes| serde_json::from_slice::<Alert>(&to_fit(&line, bytes)?).ok();

        let gentle = cut(line.len() - 1).unwrap();
        assert_eq!(gentle.truncated, ["evidence.events.excerpt"]);
        assert!(
            gentle.evidence.events[0].excerpt.is_some(),
            "the trigger stays whole"
        );
        assert!(gentle.evidence.events[1].excerpt.is_none());
        let hard = cut(2_000).unwrap();
        assert!(hard.evidence.events[0].excerpt.is_none());
        assert_eq!(hard.alert_id, large.alert_id);
        assert_eq!(cut(100), None);
    }
}
