//! What Callgrind wrote: instructions by function, and how often memory was asked for.
//!
//! The format is defined in Valgrind's manual, "Callgrind Format Specification":
//!
//! ```text
//! events: Ir
//! fn=(1) name          the lines that follow are of this function; later only `fn=(1)`
//! 16 400               at line 16, 400 instructions of its own
//! cfn=(2) callee       it calls this function
//! calls=3 50           three times
//! 16 1200              at line 16; 1,200 instructions inside of the callee, which has them as its own
//! ```

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, ensure};

/// Functions that give memory.
const ALLOCATING: [&str; 6] = [
    "malloc",
    "calloc",
    "realloc",
    "memalign",
    "posix_memalign",
    "aligned_alloc",
];

/// Instructions of each function, and calls that ask for memory.
///
/// Also the difference of two runs, whose counts may be negative.
#[derive(Debug, Default)]
pub(super) struct Profile {
    /// Instructions of a function itself.
    own: BTreeMap<String, i64>,
    /// Instructions of what a function called, by caller and callee.
    called: BTreeMap<(String, String), i64>,
    allocations: i64,
}

/// What a function costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    /// Itself.
    pub(super) own: i64,
    /// With all that it calls. Of a function in a cycle of calls it is too much.
    pub(super) whole: i64,
}

impl Profile {
    /// Reads a file of Callgrind's.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut reader = Reader::default();
        for (number, line) in text.lines().enumerate() {
            reader
                .line(line)
                .with_context(|| format!("line {}: `{line}`", number + 1))?;
        }
        let profile = reader.profile;
        let total = profile.instructions();
        ensure!(
            reader.total == Some(total),
            "functions add up to {total} instructions, and the file says {:?}",
            reader.total
        );
        Ok(profile)
    }

    /// What this run has more than `other`.
    pub(super) fn less(mut self, other: &Self) -> Self {
        for (name, count) in &other.own {
            *self.own.entry(name.clone()).or_default() -= count;
        }
        for (call, count) in &other.called {
            *self.called.entry(call.clone()).or_default() -= count;
        }
        self.allocations -= other.allocations;
        self
    }

    /// All instructions.
    pub(super) fn instructions(&self) -> i64 {
        self.own.values().sum()
    }

    /// How often memory was asked for.
    pub(super) fn allocations(&self) -> i64 {
        self.allocations
    }

    /// What each function costs, the most expensive by itself first.
    pub(super) fn by_function(&self) -> Vec<(&str, Cost)> {
        let mut costs: BTreeMap<&str, Cost> = BTreeMap::new();
        for (name, own) in &self.own {
            costs.insert(
                name,
                Cost {
                    own: *own,
                    whole: *own,
                },
            );
        }
        for ((caller, _), count) in &self.called {
            let cost = costs.entry(caller).or_insert(Cost { own: 0, whole: 0 });
            cost.whole += count;
        }
        let mut functions: Vec<_> = costs.into_iter().collect();
        functions.sort_by_key(|(_, cost)| -cost.own);
        functions
    }

    /// Who calls functions whose name has `part` in it, and what the calls cost, the most expensive first.
    pub(super) fn callers(&self, part: &str) -> Vec<(&str, &str, i64)> {
        let calls = self
            .called
            .iter()
            .filter(|((_, callee), _)| callee.contains(part));
        let mut calls: Vec<_> = calls
            .map(|((caller, callee), count)| (&**caller, &**callee, *count))
            .collect();
        calls.sort_by_key(|(.., count)| -count);
        calls
    }
}

/// Where in the file the reader is.
#[derive(Default)]
struct Reader {
    profile: Profile,
    names: HashMap<String, String>,
    function: String,
    callee: String,
    /// The next line is what a call cost, and no cost of the function itself.
    after_calls: bool,
    total: Option<i64>,
}

impl Reader {
    fn line(&mut self, line: &str) -> anyhow::Result<()> {
        if let Some(name) = line.strip_prefix("fn=") {
            self.function = self.name(name)?;
        } else if let Some(name) = line.strip_prefix("cfn=") {
            self.callee = self.name(name)?;
        } else if let Some(calls) = line.strip_prefix("calls=") {
            let count: i64 = calls.split(' ').next().unwrap_or_default().parse()?;
            // What the library calls within itself is one request of the program.
            if allocates(&self.callee) && !allocates(&self.function) {
                self.profile.allocations += count;
            }
            self.after_calls = true;
        } else if let Some(totals) = line.strip_prefix("totals: ") {
            self.total = Some(totals.trim().parse()?);
        } else if let Some(events) = line.strip_prefix("events: ") {
            ensure!(
                events.trim() == "Ir",
                "other events are counted than instructions"
            );
        } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
            let count: i64 = line
                .split(' ')
                .nth(1)
                .context("a place without a count")?
                .parse()?;
            let sum = if std::mem::take(&mut self.after_calls) {
                let call = (self.function.clone(), self.callee.clone());
                self.profile.called.entry(call).or_default()
            } else {
                self.profile.own.entry(self.function.clone()).or_default()
            };
            *sum += count;
        }
        Ok(())
    }

    /// `(1) name` names number 1, `(1)` refers to it.
    fn name(&mut self, text: &str) -> anyhow::Result<String> {
        let Some((number, name)) = text.split_once(") ") else {
            let number = text.trim_end_matches(')');
            return self
                .names
                .get(number)
                .cloned()
                .context("a name that was not given");
        };
        self.names.insert(number.to_owned(), name.to_owned());
        Ok(name.to_owned())
    }
}

/// Whether a function gives memory; a recursive call of it is marked `'2`.
fn allocates(function: &str) -> bool {
    ALLOCATING.contains(&function.split('\'').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: &str = "\
version: 1
positions: line
events: Ir

fl=(1) a.rs
fn=(1) main
16 400
cfn=(2) malloc
calls=3 50
16 90
+2 10

fn=(2)
50 90
cfn=(3) calloc
calls=9 0
* 7
fn=(3)
0 7
totals: 507
";

    #[test]
    fn a_function_has_its_own_instructions_and_those_of_its_calls() {
        let profile = Profile::parse(SHORT).unwrap();
        let cost = |own, whole| Cost { own, whole };
        assert_eq!(
            profile.by_function(),
            [
                ("main", cost(410, 500)),
                ("malloc", cost(90, 97)),
                ("calloc", cost(7, 7))
            ]
        );
        assert_eq!(
            profile.callers("alloc"),
            [("main", "malloc", 90), ("malloc", "calloc", 7)]
        );
    }

    #[test]
    fn memory_that_the_library_asks_itself_for_does_not_count() {
        assert_eq!(Profile::parse(SHORT).unwrap().allocations(), 3);
    }

    #[test]
    fn a_file_that_does_not_add_up_is_refused() {
        assert!(Profile::parse(&SHORT.replace("507", "508")).is_err());
    }

    #[test]
    fn two_runs_differ_by_what_one_has_more() {
        let long = SHORT
            .replace("16 400", "16 450")
            .replace("calls=3", "calls=5")
            .replace("507", "557");
        let cost = Profile::parse(&long)
            .unwrap()
            .less(&Profile::parse(SHORT).unwrap());
        assert_eq!((cost.instructions(), cost.allocations()), (50, 2));
    }
}
