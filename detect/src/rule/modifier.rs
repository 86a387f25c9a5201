//! The modifiers of Sigma 2.1 as a table.

use super::Comparison;
use super::item::{Anchor, Case, Link, TimePart};

/// One modifier of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Modifier {
    /// `all`: every value must be met.
    All,
    /// `neq`: none of the values may be met.
    Neq,
    /// `cased`: case counts.
    Cased,
    /// `contains`, `startswith` or `endswith`.
    Position(Anchor),
    /// `windash`: a dash that begins a flag stands for any dash.
    Windash,
    /// `expand`: placeholders are replaced by a pipeline.
    Expand,
    /// `re`: the value is a regular expression.
    Re,
    /// `i`, `m` or `s` after `re`.
    Flag(RegexFlag),
    /// `cidr`: the value is an address range.
    Cidr,
    /// `fieldref`: the value names another field.
    FieldRef,
    /// `exists`: the field is present or absent.
    Exists,
    /// `in_list`: the value names a list; ours, not Sigma's.
    InList,
    /// `lt`, `lte`, `gt`, `gte`.
    Compare(Comparison),
    /// `minute` to `year`.
    Time(TimePart),
    /// `wide`, `utf16le`, `utf16be`, `utf16`.
    Utf16(Utf16),
    /// `base64`.
    Base64,
    /// `base64offset`.
    Base64Offset,
}

/// Flags of regular expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegexFlag {
    /// Ignore case.
    IgnoreCase,
    /// `^` and `$` match at line breaks.
    MultiLine,
    /// The dot matches line feeds.
    DotAll,
}

/// UTF-16 encodings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Utf16 {
    /// Low byte first.
    LittleEndian,
    /// High byte first.
    BigEndian,
    /// A byte order mark, then low byte first.
    Marked,
}

/// Names as written in rules (case counts), with what they mean. `ignorecase`, `multiline` and
/// `dotall` are pySigma's names of `i`, `m` and `s`.
pub const NAMES: &[(&str, Modifier)] = &[
    ("all", Modifier::All),
    ("base64", Modifier::Base64),
    ("base64offset", Modifier::Base64Offset),
    ("cased", Modifier::Cased),
    ("cidr", Modifier::Cidr),
    ("contains", Modifier::Position(Anchor::Anywhere)),
    ("day", Modifier::Time(TimePart::Day)),
    ("dotall", Modifier::Flag(RegexFlag::DotAll)),
    ("endswith", Modifier::Position(Anchor::End)),
    ("exists", Modifier::Exists),
    ("expand", Modifier::Expand),
    ("fieldref", Modifier::FieldRef),
    ("gt", Modifier::Compare(Comparison::Gt)),
    ("gte", Modifier::Compare(Comparison::Gte)),
    ("hour", Modifier::Time(TimePart::Hour)),
    ("i", Modifier::Flag(RegexFlag::IgnoreCase)),
    ("ignorecase", Modifier::Flag(RegexFlag::IgnoreCase)),
    ("in_list", Modifier::InList),
    ("lt", Modifier::Compare(Comparison::Lt)),
    ("lte", Modifier::Compare(Comparison::Lte)),
    ("m", Modifier::Flag(RegexFlag::MultiLine)),
    ("minute", Modifier::Time(TimePart::Minute)),
    ("month", Modifier::Time(TimePart::Month)),
    ("multiline", Modifier::Flag(RegexFlag::MultiLine)),
    ("neq", Modifier::Neq),
    ("re", Modifier::Re),
    ("s", Modifier::Flag(RegexFlag::DotAll)),
    ("startswith", Modifier::Position(Anchor::Start)),
    ("utf16", Modifier::Utf16(Utf16::Marked)),
    ("utf16be", Modifier::Utf16(Utf16::BigEndian)),
    ("utf16le", Modifier::Utf16(Utf16::LittleEndian)),
    ("week", Modifier::Time(TimePart::Week)),
    ("wide", Modifier::Utf16(Utf16::LittleEndian)),
    ("windash", Modifier::Windash),
    ("year", Modifier::Time(TimePart::Year)),
];

/// What kind of test a chain makes of its values; a chain has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text with wildcards, or a number or boolean as it is.
    Text,
    Regex,
    Cidr,
    FieldRef,
    Exists,
    InList,
    Compare(Comparison),
    Time(TimePart),
}

/// A chain that fits together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) kind: Kind,
    pub(crate) link: Link,
    pub(crate) negated: bool,
    pub(crate) case: Case,
    pub(crate) anchor: Anchor,
    pub(crate) windash: bool,
    pub(crate) expand: bool,
    pub(crate) flags: Vec<RegexFlag>,
    /// `Utf16`, `Base64` and `Base64Offset`, in order.
    pub(crate) encodings: Vec<Modifier>,
}

/// Why a chain does not fit together: at which modifier, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit {
    pub(crate) at: usize,
    pub(crate) message: String,
}

impl Modifier {
    /// The modifier of this name.
    pub fn of(name: &str) -> Option<Self> {
        NAMES
            .binary_search_by(|(known, _)| known.cmp(&name))
            .ok()
            .and_then(|at| NAMES.get(at))
            .map(|(_, modifier)| *modifier)
    }

    /// The name, the specification's own where there are several.
    pub fn name(self) -> &'static str {
        NAMES
            .iter()
            .filter(|(_, modifier)| *modifier == self)
            .map(|(name, _)| *name)
            .min_by_key(|name| name.len())
            .unwrap_or("")
    }

    /// The kind of test the modifier decides on, if it does.
    fn kind(self) -> Option<Kind> {
        match self {
            Self::Re => Some(Kind::Regex),
            Self::Cidr => Some(Kind::Cidr),
            Self::FieldRef => Some(Kind::FieldRef),
            Self::Exists => Some(Kind::Exists),
            Self::InList => Some(Kind::InList),
            Self::Compare(comparison) => Some(Kind::Compare(comparison)),
            Self::Time(part) => Some(Kind::Time(part)),
            _ => None,
        }
    }

    /// Whether the modifier may stand in a chain that makes this kind of test.
    fn goes_with(self, kind: Kind) -> bool {
        match self {
            Self::All | Self::Neq => !matches!(kind, Kind::Exists | Kind::InList),
            Self::Cased => matches!(kind, Kind::Text | Kind::FieldRef | Kind::InList),
            Self::Position(_) => matches!(kind, Kind::Text | Kind::FieldRef),
            Self::Expand => matches!(kind, Kind::Text | Kind::Regex | Kind::Cidr),
            Self::Flag(_) => kind == Kind::Regex,
            Self::Windash | Self::Utf16(_) | Self::Base64 | Self::Base64Offset => {
                kind == Kind::Text
            }
            Self::Re
            | Self::Cidr
            | Self::FieldRef
            | Self::Exists
            | Self::InList
            | Self::Compare(_)
            | Self::Time(_) => self.kind() == Some(kind),
        }
    }
}

impl From<Modifier> for &'static str {
    fn from(modifier: Modifier) -> Self {
        modifier.name()
    }
}

impl TryFrom<String> for Modifier {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::of(&name).ok_or(name)
    }
}

impl Chain {
    /// Reads a chain.
    pub(crate) fn of(modifiers: &[Modifier]) -> Result<Self, Misfit> {
        let decided = modifiers
            .iter()
            .find_map(|m| m.kind().map(|kind| (*m, kind)));
        let mut chain = Self {
            kind: decided.map_or(Kind::Text, |(_, kind)| kind),
            link: Link::Any,
            negated: false,
            case: Case::Fold,
            anchor: Anchor::Whole,
            windash: false,
            expand: false,
            flags: Vec::new(),
            encodings: Vec::new(),
        };
        for (at, modifier) in modifiers.iter().enumerate() {
            let before = modifiers.get(..at).unwrap_or_default();
            let misfit = |message: String| Misfit { at, message };
            let name = modifier.name();
            if before.contains(modifier) {
                return Err(misfit(format!("modifier `{name}` is given twice")));
            }
            if !modifier.goes_with(chain.kind) {
                return Err(misfit(match decided {
                    Some((kind, _)) => format!("`{name}` does not go with `{}`", kind.name()),
                    None => format!("`{name}` needs `re` before it"),
                }));
            }
            chain.add(*modifier, before).map_err(misfit)?;
        }
        Ok(chain)
    }

    /// Takes one modifier that goes with the kind; `before` are those in front of it.
    fn add(&mut self, modifier: Modifier, before: &[Modifier]) -> Result<(), String> {
        let name = modifier.name();
        match modifier {
            Modifier::All => self.link = Link::All,
            Modifier::Neq => self.negated = true,
            Modifier::Cased => self.case = Case::Exact,
            Modifier::Expand => self.expand = true,
            Modifier::Position(anchor) => {
                if let Some(other) = before.iter().find(|m| matches!(m, Modifier::Position(_))) {
                    return Err(format!("`{name}` contradicts `{}`", other.name()));
                }
                self.anchor = anchor;
            }
            Modifier::Flag(flag) => {
                if !before.contains(&Modifier::Re) {
                    return Err(format!("`{name}` needs `re` before it"));
                }
                self.flags.push(flag);
            }
            Modifier::Windash => {
                if !self.encodings.is_empty() {
                    return Err("`windash` must stand before an encoding".to_owned());
                }
                self.windash = true;
            }
            Modifier::Utf16(_) => {
                if let Some(other) = self.encodings.first() {
                    return Err(format!("`{name}` cannot follow `{}`", other.name()));
                }
                self.encodings.push(modifier);
            }
            Modifier::Base64 | Modifier::Base64Offset => {
                if matches!(
                    self.encodings.last(),
                    Some(Modifier::Base64 | Modifier::Base64Offset)
                ) {
                    return Err("a value can be encoded in Base64 only once".to_owned());
                }
                self.encodings.push(modifier);
            }
            Modifier::Re
            | Modifier::Cidr
            | Modifier::FieldRef
            | Modifier::Exists
            | Modifier::InList
            | Modifier::Compare(_)
            | Modifier::Time(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a chain by names; `Err` holds the name of the modifier that does not fit.
    fn chain(names: &str) -> Result<Chain, String> {
        let modifiers: Vec<Modifier> = names
            .split('|')
            .map(|name| Modifier::of(name).unwrap_or_else(|| panic!("{name} is unknown")))
            .collect();
        Chain::of(&modifiers).map_err(|misfit| modifiers[misfit.at].name().to_owned())
    }

    #[test]
    fn table_is_sorted_and_names_are_case_sensitive() {
        assert!(NAMES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(
            NAMES
                .iter()
                .all(|(name, modifier)| Modifier::of(name) == Some(*modifier))
        );
        assert_eq!(Modifier::of("Contains"), None);
        assert_eq!(Modifier::of(""), None);
        assert_eq!(Modifier::Flag(RegexFlag::IgnoreCase).name(), "i");
    }

    #[test]
    fn chains_of_the_specification_fit() {
        for names in [
            "contains|all|cased|neq|windash|expand",
            "cased|contains",
            "all|contains",
            "re|i|m|s|all|neq",
            "re|expand",
            "expand|re",
            "cidr|all|neq|expand",
            "exists",
            "gte|all|neq",
            "hour|neq|all",
            "fieldref|endswith|cased|neq|all",
            "wide|base64offset|contains|all",
            "utf16|base64|cased",
            "windash|contains|all|cased|neq",
            "in_list",
            "cased|in_list",
        ] {
            assert!(chain(names).is_ok(), "{names}: {:?}", chain(names));
        }
    }

    #[test]
    fn contradictory_chains_name_the_modifier_that_does_not_fit() {
        for (names, at) in [
            ("startswith|endswith", "endswith"),
            ("contains|startswith", "startswith"),
            ("contains|re", "contains"),
            ("re|contains", "contains"),
            ("re|cased", "cased"),
            ("re|base64", "base64"),
            ("i|re", "i"),
            ("contains|i", "i"),
            ("cidr|contains", "contains"),
            ("cidr|cased", "cased"),
            ("cidr|re", "re"),
            ("exists|all", "all"),
            ("neq|exists", "neq"),
            ("exists|contains", "contains"),
            ("gt|lt", "lt"),
            ("gte|contains", "contains"),
            ("gte|expand", "expand"),
            ("hour|gte", "gte"),
            ("hour|day", "day"),
            ("fieldref|re", "re"),
            ("fieldref|expand", "expand"),
            ("fieldref|base64", "base64"),
            ("base64|base64offset", "base64offset"),
            ("wide|utf16be", "utf16be"),
            ("base64|wide", "wide"),
            ("base64|windash", "windash"),
            ("windash|re", "windash"),
            ("contains|contains", "contains"),
            ("wide|utf16le", "wide"),
            ("in_list|neq", "neq"),
            ("all|in_list", "all"),
            ("in_list|endswith", "endswith"),
            ("in_list|expand", "expand"),
            ("cidr|in_list", "in_list"),
        ] {
            assert_eq!(chain(names), Err(at.to_owned()), "{names}");
        }
    }
}
