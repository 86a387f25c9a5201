//! MITRE ATT&CK for Enterprise, version 19: which techniques and tactics exist, and what became of
//! those that no longer do.
//!
//! Version 19 (April 2026) split the old tactic *Defense Evasion*: its id TA0005 is now *Stealth*, and
//! the new TA0112 is *Defense Impairment*. Sigma tags name a tactic as `attack.initial-access` and a
//! technique as `attack.t1078.004`, without saying which belongs to which.
//!
//! ```
//! use palisade_detect::attack;
//!
//! let old = attack::technique("T1562.008").expect("a technique of version 18");
//! let new = old.successor().expect("revoked in version 19");
//! assert_eq!((new.id, new.name), ("T1685.002", "Disable or Modify Cloud Log"));
//! assert_eq!(new.tactics[0].tag, "defense-impairment");
//! ```

use std::sync::LazyLock;

/// Version of ATT&CK that the table states.
pub const VERSION: &str = "19";

/// What Sigma tags called the tactic that version 19 split.
pub const SPLIT_TACTIC: &str = "defense-evasion";

/// A tactic: why an adversary does something; a column of the matrix.
#[derive(Debug, PartialEq, Eq)]
pub struct Tactic {
    /// Stable id, such as `TA0001`.
    pub id: &'static str,
    /// Name as written in Sigma tags after `attack.`, such as `initial-access`.
    pub tag: &'static str,
    /// Name, such as `Initial Access`.
    pub name: &'static str,
}

/// A technique or sub-technique: how an adversary does something.
#[derive(Debug, PartialEq, Eq)]
pub struct Technique {
    /// Stable id, such as `T1078` or `T1078.004`.
    pub id: &'static str,
    /// Name; of a sub-technique without its parent's.
    pub name: &'static str,
    /// The tactics it serves, in the order of the matrix; empty if it is not [`Fate::Current`].
    pub tactics: Vec<&'static Tactic>,
    /// Whether it still exists.
    pub fate: Fate,
}

/// Whether a technique still exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It stands in the matrix.
    Current,
    /// Another technique took its place: the id of that one.
    Revoked(&'static str),
    /// It is gone and nothing took its place.
    Deprecated,
}

/// All tactics, in the order of the matrix.
pub static TACTICS: [Tactic; 15] = [
    tactic_row("TA0043", "reconnaissance", "Reconnaissance"),
    tactic_row("TA0042", "resource-development", "Resource Development"),
    tactic_row("TA0001", "initial-access", "Initial Access"),
    tactic_row("TA0002", "execution", "Execution"),
    tactic_row("TA0003", "persistence", "Persistence"),
    tactic_row("TA0004", "privilege-escalation", "Privilege Escalation"),
    tactic_row("TA0005", "stealth", "Stealth"),
    tactic_row("TA0112", "defense-impairment", "Defense Impairment"),
    tactic_row("TA0006", "credential-access", "Credential Access"),
    tactic_row("TA0007", "discovery", "Discovery"),
    tactic_row("TA0008", "lateral-movement", "Lateral Movement"),
    tactic_row("TA0009", "collection", "Collection"),
    tactic_row("TA0011", "command-and-control", "Command and Control"),
    tactic_row("TA0010", "exfiltration", "Exfiltration"),
    tactic_row("TA0040", "impact", "Impact"),
];

/// A row of [`TACTICS`].
const fn tactic_row(id: &'static str, tag: &'static str, name: &'static str) -> Tactic {
    Tactic { id, tag, name }
}

/// The table of techniques with its terms of use, a row a technique, by id.
const ENTERPRISE: &str = include_str!("attack/enterprise.tsv");

/// [`ENTERPRISE`], read once.
static TECHNIQUES: LazyLock<Vec<Technique>> = LazyLock::new(|| {
    let rows = ENTERPRISE.lines().filter(|line| !line.starts_with('#'));
    rows.map(|row| read(row).expect("every row of the table is well-formed"))
        .collect()
});

/// Reads one row of the table.
fn read(row: &'static str) -> Option<Technique> {
    let mut cells = row.split('\t');
    let (id, what, name) = (cells.next()?, cells.next()?, cells.next()?);
    let mut tactics = Vec::new();
    let fate = if let Some(successor) = what.strip_prefix("-> ") {
        Fate::Revoked(successor)
    } else if what == "deprecated" {
        Fate::Deprecated
    } else {
        for tag in what.split(',') {
            tactics.push(tactic(tag)?);
        }
        Fate::Current
    };
    Some(Technique {
        id,
        name,
        tactics,
        fate,
    })
}

/// All techniques that are or were, by id.
pub fn techniques() -> &'static [Technique] {
    &TECHNIQUES
}

/// The technique of this id, such as `T1078.004`; the `t` of a Sigma tag may be small.
pub fn technique(id: &str) -> Option<&'static Technique> {
    let id = id.to_ascii_uppercase();
    let at = TECHNIQUES.binary_search_by(|row| row.id.cmp(&id)).ok()?;
    TECHNIQUES.get(at)
}

/// The tactic of this tag, such as `initial-access`, or of this id, such as `TA0001`.
pub fn tactic(name: &str) -> Option<&'static Tactic> {
    TACTICS
        .iter()
        .find(|row| row.tag == name || row.id.eq_ignore_ascii_case(name))
}

impl Technique {
    /// The technique to write instead, if this one was revoked.
    pub fn successor(&self) -> Option<&'static Self> {
        match self.fate {
            Fate::Revoked(id) => technique(id),
            Fate::Current | Fate::Deprecated => None,
        }
    }

    /// The technique that this one is a part of.
    pub fn parent(&self) -> Option<&'static Self> {
        let (parent, _) = self.id.split_once('.')?;
        technique(parent)
    }

    /// Its Sigma tag, such as `attack.t1078.004`.
    pub fn tag(&self) -> String {
        format!("attack.{}", self.id.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_by_id_and_each_id_once() {
        let rows = techniques();
        assert!(rows.windows(2).all(|pair| pair[0].id < pair[1].id));
        let current = rows.iter().filter(|row| row.fate == Fate::Current);
        assert_eq!((rows.len(), current.count()), (858, 697));
    }

    #[test]
    fn a_revoked_technique_leads_to_one_that_exists() {
        for row in techniques() {
            match row.fate {
                Fate::Revoked(_) => {
                    let next = row.successor().expect("a row of its own");
                    assert_eq!(next.fate, Fate::Current, "{}", row.id);
                }
                Fate::Current | Fate::Deprecated => assert_eq!(row.successor(), None),
            }
            assert_eq!(row.tactics.is_empty(), row.fate != Fate::Current);
        }
    }

    #[test]
    fn a_sub_technique_has_its_parent_in_the_table() {
        for row in techniques().iter().filter(|row| row.id.contains('.')) {
            let parent = row.parent().expect("a row of its own");
            assert!(row.fate != Fate::Current || parent.fate == Fate::Current);
        }
        let row = technique("t1078.004").expect("known");
        assert_eq!(row.tag(), "attack.t1078.004");
        assert_eq!(row.parent().map(|parent| parent.id), Some("T1078"));
    }

    #[test]
    fn tactics_are_found_by_tag_and_id_and_the_split_one_is_gone() {
        assert_eq!(tactic("TA0112"), tactic("defense-impairment"));
        assert_eq!(tactic("ta0005").map(|row| row.tag), Some("stealth"));
        assert_eq!(tactic(SPLIT_TACTIC), None);
        assert_eq!(technique("T9999"), None);
    }
}
