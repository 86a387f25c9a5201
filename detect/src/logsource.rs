//! Sigma log sources: product, category, service.

use std::borrow::Cow;
use std::fmt;

/// What a rule asks for or an event states: product, category and service, each optional.
///
/// Sigma rules specification, section `LogSource`. The parts are compared exactly.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Logsource {
    /// Vendor's product, such as `azure`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<Cow<'static, str>>,
    /// Part of the product, such as `signinlogs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Cow<'static, str>>,
    /// Kind of log over products, such as `firewall`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Cow<'static, str>>,
}

/// How a rule's log source is held against the one an event states (requirement LOG-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Routing {
    /// Every part that the rule names must be present in the event's log source and equal.
    #[default]
    Strict,
    /// A part that the event does not state is no conflict; only differing parts are.
    Lenient,
    /// Every rule judges every event.
    Any,
}

impl Logsource {
    /// A log source of product and service, for tables.
    pub const fn of(product: &'static str, service: &'static str) -> Self {
        Self {
            product: Some(Cow::Borrowed(product)),
            service: Some(Cow::Borrowed(service)),
            category: None,
        }
    }

    /// A log source of product, service and category, for tables.
    pub const fn of_category(
        product: &'static str,
        service: &'static str,
        category: &'static str,
    ) -> Self {
        Self {
            product: Some(Cow::Borrowed(product)),
            service: Some(Cow::Borrowed(service)),
            category: Some(Cow::Borrowed(category)),
        }
    }

    /// Whether every part that `self` names is present in `other` and equal.
    pub fn covers(&self, other: &Self) -> bool {
        self.admits(std::slice::from_ref(other), Routing::Strict)
    }

    /// Whether a rule that asks for `self` judges an event that states `stated`.
    ///
    /// An event that states no log source at all (an empty slice) is judged by every rule.
    pub fn admits(&self, stated: &[Self], routing: Routing) -> bool {
        if stated.is_empty() || routing == Routing::Any {
            return true;
        }
        let part = |asked: &Option<Cow<'static, str>>, given: &Option<Cow<'static, str>>| match (
            asked, given,
        ) {
            (None, _) => true,
            (Some(asked), Some(given)) => asked == given,
            (Some(_), None) => routing == Routing::Lenient,
        };
        stated.iter().any(|event| {
            part(&self.product, &event.product)
                && part(&self.service, &event.service)
                && part(&self.category, &event.category)
        })
    }
}

/// `product/category/service`, parts that are absent left out, such as `azure/signinlogs`.
impl fmt::Display for Logsource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for part in [&self.product, &self.category, &self.service]
            .into_iter()
            .flatten()
        {
            if !first {
                f.write_str("/")?;
            }
            f.write_str(part)?;
            first = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_wants_every_part_present_and_lenient_skips_only_conflicts() {
        let rule = Logsource::of_category("azure", "flow", "firewall");
        let event = [Logsource::of("azure", "flow")];
        assert!(!rule.admits(&event, Routing::Strict));
        assert!(rule.admits(&event, Routing::Lenient));
        assert!(!rule.admits(&[Logsource::of("aws", "flow")], Routing::Lenient));
        assert!(rule.admits(&[Logsource::of("aws", "flow")], Routing::Any));
    }

    #[test]
    fn event_without_a_log_source_prunes_no_rule() {
        assert!(Logsource::of("azure", "signinlogs").admits(&[], Routing::Strict));
    }
}
