//! The fast way through the rules: one walk over the record's bytes, no tree.
//!
//! A rule set is compiled once for each log source and way of reading (a `Program`): its fields
//! become slots of a [trie], its tests predicates on [slots](slot) that are tried all at once,
//! its conditions are held over those [in three values](condition). A rule waits for the rarest
//! predicate that it needs; only those that woke up are looked at.
//!
//! The walk leaves open what it cannot decide, and gives up on a record that is odd; both are left
//! to the event's tree and the naive matcher, which therefore judge everything that raises an alert
//! or a match. The walk can only be wrong by calling something false that is not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{EVENT_DEPTH_MAX, Engine};
use crate::event::{Body, EventRef, LogType, Reading};
use crate::logsource::{Logsource, Routing};
use crate::scan::{Index, Marked};
use crate::value::{Event, Value, read_marked};

mod condition;
mod core;
mod guess;
mod keywords;
mod literals;
mod meaning;
mod memo;
mod slot;
mod state;
mod trie;
mod tuple;
mod walk;

use condition::Truth;
use core::{Core, Rule};
use state::State;
use trie::Trie;
use tuple::Tops;
use walk::{Buffers, Memory, Walk};

/// The record is not what the fast way can judge: it is left to the tree, errors included.
#[derive(Debug)]
struct Odd;

/// Most programs of one engine: what is compiled for log sources and readings beyond them is left to
/// the naive way. A full corpus takes about 10 MiB a log source.
const PROGRAMS_MAX: usize = 128;

/// Most log sources that one thread remembers the program of.
const ROUTES_MAX: usize = 64;

/// What is compiled so far, for all threads.
#[derive(Debug, Default)]
pub(super) struct Programs {
    known: Mutex<Vec<Known>>,
}

#[derive(Debug)]
struct Known {
    /// The rules, by place.
    rules: Vec<usize>,
    readings: &'static [(&'static str, Reading)],
    program: Arc<Program>,
}

/// The rules of one log source, for events that are read one way.
#[derive(Debug)]
struct Program {
    core: Arc<Core>,
    trie: Trie,
    tops: Tops,
}

/// What a thread keeps between events.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    index: Index,
    state: State,
    buffers: Buffers,
    keywords: keywords::Buffers,
    /// A flow tuple as JSON.
    tuple: Vec<u8>,
    routes: Routes,
}

/// The programs that a thread has needed.
#[derive(Debug, Default)]
struct Routes {
    known: Vec<Route>,
    /// Whose programs they are.
    programs: Option<Arc<Programs>>,
    last: usize,
    /// The place of the next one when there is no room: the oldest goes, whichever was asked for last.
    next: usize,
}

/// Which program judges the events of a log source.
#[derive(Debug)]
struct Route {
    readings: &'static [(&'static str, Reading)],
    sources: Vec<Logsource>,
    /// The same where the log type states them: equal slices need no look at what they hold.
    stated: Option<&'static [Logsource]>,
    program: Option<Arc<Program>>,
    memory: Memory,
}

/// A rule that may be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Possible {
    /// Its place among the engine's rules.
    pub(super) place: usize,
    /// Whether it is met if no object of the event holds a key twice; `None` if only the tree tells.
    pub(super) presumed: Option<bool>,
}

/// The rules that an event may meet, ascending; `None` if only the naive way can tell.
pub(super) fn possible(
    engine: &Engine,
    event: &EventRef<'_>,
    scratch: &mut Scratch,
    found: &mut Vec<Possible>,
) -> Option<()> {
    found.clear();
    let Scratch {
        index,
        state,
        buffers,
        keywords,
        tuple,
        routes,
    } = scratch;
    let Route {
        program, memory, ..
    } = routes.route(engine, event);
    let program = program.as_deref()?;
    let core = &*program.core;
    let marked = match event.body {
        Body::Marked(marked) => marked,
        Body::Json(payload) if payload.len() > engine.event_bytes_max => return None,
        Body::Json(payload) => {
            index.read(payload).ok()?;
            whole(index, payload)?
        }
        Body::Flow(flow) if !flow.around.passes() => return None,
        Body::Flow(_) if core.rules.is_empty() => return Some(()),
        Body::Flow(flow) => {
            program.tops.write(&flow, tuple)?;
            index.read(tuple).ok()?;
            whole(index, tuple)?
        }
    };
    let bytes = marked.bytes();
    if bytes.len() > engine.event_bytes_max
        || marked.is_deeper_than(EVENT_DEPTH_MAX)
        || bytes.first() != Some(&b'{')
        || !(marked.index.is_text() || std::str::from_utf8(bytes).is_ok())
    {
        return None;
    }
    if core.rules.is_empty() {
        return Some(());
    }
    state.begin(core);
    let walked = Walk::run(marked, (core, &program.trie), state, buffers, memory);
    walked.ok()?;
    let searched = core.keywords.search(marked, core, (state, keywords));
    searched.ok()?;
    let candidates = std::mem::take(&mut state.candidates);
    let asks_late = |rule: &u32| {
        let rule = &core.rules[*rule as usize];
        rule.asks_late && rule.condition.truth(core, state) != Truth::False
    };
    if core.always.iter().chain(&candidates).any(asks_late) {
        let searched = core.keywords.search_late(marked, core, (state, keywords));
        searched.ok()?;
    }
    for rule in core.always.iter().chain(&candidates) {
        found.extend(say(&core.rules[*rule as usize], core, state));
    }
    state.candidates = candidates;
    found.sort_unstable();
    Some(())
}

/// The tree of an event that [`possible`] has looked at last, if it is regular: no key stands twice in
/// one of its objects.
pub(super) fn tree<'a>(event: &EventRef<'a>, scratch: &Scratch) -> Option<Event<'a>> {
    let (marked, bytes) = match event.body {
        Body::Marked(marked) => (marked, marked.bytes()),
        Body::Json(payload) => {
            let marked = whole(&scratch.index, payload)?;
            let pair = marked.index.pairs().first()?;
            (
                marked,
                payload.get(pair.open as usize..=pair.close as usize)?,
            )
        }
        Body::Flow(_) => return None,
    };
    let text = std::str::from_utf8(bytes).ok()?;
    let root = read_marked(marked, text, EVENT_DEPTH_MAX)?;
    matches!(root, Value::Object(_)).then_some(Event {
        root,
        readings: event.log_type.readings,
    })
}

/// What the walk says of a rule; `None` if it is not met.
fn say(rule: &Rule, core: &Core, state: &mut State) -> Option<Possible> {
    state.presuming = false;
    let mut presumed = rule.condition.truth(core, state);
    match presumed {
        Truth::False => return None,
        Truth::True => {}
        Truth::Unknown => {
            state.presuming = true;
            presumed = rule.condition.truth(core, state);
        }
    }
    Some(Possible {
        place: rule.place,
        presumed: (presumed != Truth::Unknown).then_some(presumed == Truth::True),
    })
}

/// The one object that a payload is, blanks around it aside.
fn whole<'a>(index: &'a Index, payload: &'a [u8]) -> Option<Marked<'a>> {
    let pair = index.pairs().first()?;
    let (before, after) = (
        payload.get(..pair.open as usize)?,
        payload.get(pair.close as usize + 1..)?,
    );
    let blank = |part: &[u8]| part.iter().all(|byte| crate::scan::is_blank(*byte));
    (blank(before) && blank(after)).then_some(Marked {
        index,
        payload,
        pair: 0,
    })
}

impl Routes {
    /// The route of an event.
    fn route(&mut self, engine: &Engine, event: &EventRef<'_>) -> &mut Route {
        let ours = self.programs.as_ref();
        if !ours.is_some_and(|programs| Arc::ptr_eq(programs, &engine.programs)) {
            self.known.clear();
            self.next = 0;
            self.programs = Some(Arc::clone(&engine.programs));
        }
        let (readings, sources) = (event.log_type.readings, event.logsources);
        let is = |route: &Route| {
            let same = |stated: &[Logsource]| std::ptr::eq(stated, sources);
            std::ptr::eq(route.readings, readings)
                && (route.stated.is_some_and(same) || route.sources == sources)
        };
        if !self.known.get(self.last).is_some_and(is) {
            self.last = match self.known.iter().position(is) {
                Some(place) => place,
                None => self.learn(engine, event),
            };
        }
        &mut self.known[self.last]
    }

    /// Remembers the program of a log source; returns where.
    fn learn(&mut self, engine: &Engine, event: &EventRef<'_>) -> usize {
        let route = Route {
            readings: event.log_type.readings,
            sources: event.logsources.to_vec(),
            stated: Some(event.log_type.logsources)
                .filter(|stated| std::ptr::eq(*stated, event.logsources)),
            program: engine.programs.program(engine, event),
            memory: Memory::default(),
        };
        if self.known.len() < ROUTES_MAX {
            self.known.push(route);
            return self.known.len() - 1;
        }
        let place = self.next % ROUTES_MAX;
        self.next = place + 1;
        self.known[place] = route;
        place
    }
}

impl Programs {
    /// Compiles what judges the events of log types whose rules are all their own. Where rules judge
    /// foreign events, too, nearly every log type would need a program of nearly all rules.
    pub(super) fn prepare(
        &self,
        engine: &Engine,
        log_types: impl Iterator<Item = &'static LogType>,
    ) {
        if engine.options.routing != Routing::Strict {
            return;
        }
        let mut by_source: BTreeMap<&Logsource, Vec<usize>> = BTreeMap::new();
        for (place, rule) in engine.compiled.iter().enumerate() {
            by_source.entry(&rule.logsource).or_default().push(place);
        }
        for log_type in log_types.filter(|log_type| !log_type.logsources.is_empty()) {
            let (readings, stated) = (log_type.readings, log_type.logsources);
            let admits = |source: &Logsource| source.admits(stated, Routing::Strict);
            let sources = by_source.iter().filter(|(source, _)| admits(source));
            let mut rules: Vec<usize> = sources.flat_map(|(_, places)| places).copied().collect();
            rules.sort_unstable();
            if !rules.is_empty() {
                self.compile(engine, rules, readings);
            }
        }
    }

    /// The program for a log source and way of reading, compiled when it is first asked for.
    fn program(&self, engine: &Engine, event: &EventRef<'_>) -> Option<Arc<Program>> {
        let routing = engine.options.routing;
        let rules = engine.compiled.iter().enumerate();
        let admitted = rules.filter(|(_, rule)| rule.logsource.admits(event.logsources, routing));
        let rules: Vec<usize> = admitted.map(|(place, _)| place).collect();
        self.compile(engine, rules, event.log_type.readings)
    }

    /// The program of these rules, by ascending places, for a way of reading.
    fn compile(
        &self,
        engine: &Engine,
        rules: Vec<usize>,
        readings: &'static [(&'static str, Reading)],
    ) -> Option<Arc<Program>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let of_rules = |one: &&Known| one.rules == rules;
        let same = |one: &&Known| of_rules(one) && std::ptr::eq(one.readings, readings);
        if let Some(same) = known.iter().find(same) {
            return Some(Arc::clone(&same.program));
        }
        if known.len() >= PROGRAMS_MAX {
            return None;
        }
        let core = if let Some(of_rules) = known.iter().find(of_rules) {
            Arc::clone(&of_rules.program.core)
        } else {
            let places = rules.iter();
            let matchers = places.map(|place| (*place, &engine.compiled[*place].matcher));
            Arc::new(Core::compile(matchers).ok()?)
        };
        let trie = Trie::new(&core, readings);
        let tops = Tops::new(&core);
        let program = Arc::new(Program { core, trie, tops });
        known.push(Known {
            rules,
            readings,
            program: Arc::clone(&program),
        });
        Some(program)
    }
}
