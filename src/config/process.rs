//! The file as a whole, and the parts that concern the process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use palisade_detect::diagnostic::{Diagnostic, Place, code};
use palisade_detect::time::Span;
use palisade_detect::yaml::Node;

use super::options::{Section, row};
use super::reader::{From, Map, Reader};
use super::{Breaker, Config, LogFormat, LogOptions, Pipelines, Reload, Rules, State, value};

/// Smallest limit of the state: below it the log's own pages would fill it.
const STATE_BYTES_MIN: u64 = 64 << 20;

/// Variable that overrides `http.listen`; a container sets it.
pub const HTTP_LISTEN_VARIABLE: &str = "PALISADE_HTTP_LISTEN";

impl Reader<'_> {
    /// The whole file; `None` if a part that must be there is not, or is wrong.
    pub(super) fn config(&mut self, root: &Node) -> Option<Config> {
        let top = self.open(Some(root), "", &[Section::Top], &root.place);
        let rules = self.rules(&top);
        let pipelines = self.pipelines(&top);
        let reload = self.reload(&top);
        let state = self.state(&top);
        let dir = state.as_ref().map_or(Path::new(""), |state| &state.dir);
        let snapshots = self.snapshots(&top, dir);
        let sources = self.components(&top, "sources", Self::source);
        let sinks = self.components(&top, "sinks", Self::sink);
        let http_listen = self.http_listen(&top);
        let breaker = self.breaker(&top);
        let lateness = self.value(&top, "lateness", value::duration);
        let log = self.log(&top);
        let check_levels = self.check_levels(&top);
        Some(Config {
            rules: rules?,
            pipelines: pipelines?,
            reload: reload?,
            state: state?,
            snapshots: snapshots?,
            sources,
            sinks,
            http_listen: http_listen?,
            breaker: breaker?,
            lateness,
            log: log?,
            check_levels,
        })
    }

    /// What stands under `rules:`, if nothing is wrong with it.
    pub(super) fn rules_alone(&mut self, root: &Node) -> Option<Rules> {
        self.alone(root, Self::rules)
    }

    /// What stands under `pipelines:`, if nothing is wrong with it.
    pub(super) fn pipelines_alone(&mut self, root: &Node) -> Option<Pipelines> {
        self.alone(root, Self::pipelines)
    }

    fn alone<T>(&mut self, root: &Node, read: fn(&mut Self, &Map<'_>) -> Option<T>) -> Option<T> {
        let top = Map::unchecked(root, "", &[Section::Top]);
        self.problems.clear();
        let part = read(self, &top);
        part.filter(|_| !self.problems.iter().any(Diagnostic::is_error))
    }

    fn section<'n>(&mut self, map: &Map<'n>, key: &str, sections: &'static [Section]) -> Map<'n> {
        self.open(map.get(key), map.full(key), sections, &map.place)
    }

    fn pipelines(&mut self, top: &Map<'_>) -> Option<Pipelines> {
        if top
            .get("pipelines")
            .is_some_and(|node| node.as_map().is_none())
        {
            return Some(Pipelines {
                default: true,
                files: self.listed_pipelines(top),
            });
        }
        let map = self.section(top, "pipelines", &[Section::Pipelines]);
        let default = self.value(&map, "default", |text| Ok(text == "true"));
        let files = self.paths(&map, "files");
        Some(Pipelines {
            default: default?,
            files,
        })
    }

    fn listed_pipelines(&mut self, top: &Map<'_>) -> Vec<PathBuf> {
        self.entry(top.full("pipelines.default"), true, From::Default);
        let texts = self.values(top, "pipelines", value::text);
        texts.iter().map(|text| self.resolve(text)).collect()
    }

    fn reload(&mut self, top: &Map<'_>) -> Option<Reload> {
        let map = self.section(top, "reload", &[Section::Reload]);
        let events = self.value(&map, "events", |text| Ok(text == "true"));
        let poll = self.value(&map, "poll", |text| match text {
            "off" => Ok(Span::ZERO),
            _ => value::duration(text),
        });
        Some(Reload {
            events: events?,
            poll: Some(poll?).filter(|poll| *poll > Span::ZERO),
        })
    }

    fn state(&mut self, top: &Map<'_>) -> Option<State> {
        let map = self.section(top, "state", &[Section::State]);
        let dir = self.path(&map, "dir");
        let retention = self.section(&map, "retention", &[Section::Retention]);
        let alerts = self.value(&retention, "alerts", value::duration);
        let dead = self.value(&retention, "dead", value::duration);
        let max_bytes = self.value(&map, "max_bytes", |text| {
            value::size_of_at_least(text, STATE_BYTES_MIN)
        });
        Some(State {
            dir: dir?,
            retention_alerts: alerts?,
            retention_dead: dead?,
            max_bytes: max_bytes?,
        })
    }

    /// `http.listen`, or what the environment says instead.
    fn http_listen(&mut self, top: &Map<'_>) -> Option<SocketAddr> {
        let map = self.section(top, "http", &[Section::Http]);
        let overriding = self
            .variable(HTTP_LISTEN_VARIABLE)
            .filter(|text| !text.is_empty());
        let Some(text) = overriding else {
            return self.value(&map, "listen", value::address);
        };
        match value::address(&text) {
            Ok(address) => {
                self.entry(
                    map.full("listen"),
                    text,
                    From::Environment(HTTP_LISTEN_VARIABLE.to_owned()),
                );
                Some(address)
            }
            Err(expected) => {
                let message =
                    format!("`{HTTP_LISTEN_VARIABLE}` in the environment cannot be `{text}`");
                let problem = Diagnostic::error(code::CONFIG_VALUE, &map.place, message);
                self.problems.push(problem.with_help(expected));
                None
            }
        }
    }

    fn breaker(&mut self, top: &Map<'_>) -> Option<Breaker> {
        let outer = self.section(top, "dead_letters", &[Section::DeadLetters]);
        let map = self.section(&outer, "breaker", &[Section::Breaker]);
        let share = self.value(&map, "share", value::share);
        let window = self.value(&map, "window", value::duration_above_zero);
        let records_min = self.value(&map, "min_records", value::number);
        Some(Breaker {
            share: share?,
            window: window?,
            records_min: records_min?,
        })
    }

    fn log(&mut self, top: &Map<'_>) -> Option<LogOptions> {
        let map = self.section(top, "log", &[Section::Log]);
        let format = self.choice(&map, "format", &[LogFormat::Pretty, LogFormat::Json]);
        let level = self.value(
            &map,
            "level",
            |text| match tracing_subscriber::EnvFilter::try_new(text) {
                Ok(_) if !text.is_empty() => Ok(text.to_owned()),
                _ => Err(
                    "expected `error`, `warn`, `info`, `debug` or `trace`, or directives"
                        .to_owned(),
                ),
            },
        );
        Some(LogOptions {
            format: format?,
            level: level?,
        })
    }

    /// A list of sources or sinks; names must differ.
    fn components<T>(
        &mut self,
        top: &Map<'_>,
        key: &str,
        read: impl Fn(&mut Self, &Node, &str) -> Option<T>,
    ) -> Vec<T> {
        let Some(node) = self.required(top, key) else {
            return Vec::new();
        };
        let Some(nodes) = node.as_seq() else {
            let message = format!("`{key}` must be a list, not {}", node.type_name());
            let help = "write each of them behind a dash, with its `name` and `type`";
            self.advise(code::CONFIG_TYPE, &node.place, message, help);
            return Vec::new();
        };
        if nodes.is_empty() && key == "sources" {
            self.advise(
                code::CONFIG_VALUE,
                &node.place,
                "`sources` must hold at least one source",
                "write one, such as `- {name: logs, type: file, path: events.ndjson}`",
            );
        }
        let mut named: Vec<(&str, &Place)> = Vec::new();
        let mut components = Vec::with_capacity(nodes.len());
        for (number, node) in nodes.iter().enumerate() {
            let name = node
                .get("name")
                .and_then(|name| Some((name.as_text()?, &name.place)));
            let valid = name.filter(|(name, _)| value::name(name).is_ok());
            let label = valid.map_or_else(
                || format!("{key}[{number}]"),
                |(name, _)| format!("{key}.{name}"),
            );
            if let Some((name, place)) = valid {
                if let Some((_, first)) = named.iter().find(|(other, _)| *other == name) {
                    let message = format!(
                        "the name `{name}` is taken already in line {} of `{key}`",
                        first.line
                    );
                    let help = "give each of them a name of its own";
                    self.advise(code::CONFIG_CONFLICT, place, message, help);
                }
                named.push((name, place));
            }
            components.extend(read(self, node, &label));
        }
        components
    }

    /// The type of a source or sink, before its other keys can be judged; problems with it, and with
    /// an element that is no mapping, are reported here.
    pub(super) fn component_type<T: Copy>(
        &mut self,
        node: &Node,
        label: &str,
        sections: &'static [Section],
        types: &[T],
    ) -> Option<T> {
        let found = node.as_map().and_then(|_| node.get_some("type")?.as_text());
        let super::options::Kind::Choice(words) = row(sections, "type")?.kind else {
            return None;
        };
        if let Some(at) = words.iter().position(|word| Some(*word) == found) {
            return types.get(at).copied();
        }
        if node.as_map().is_none() {
            let message = format!("`{label}` must be a mapping, not {}", node.type_name());
            let help = "write its keys there, such as `name` and `type`";
            self.advise(code::CONFIG_TYPE, &node.place, message, help);
            return None;
        }
        // Only the type is judged: whether other keys are known depends on it.
        let map = Map::unchecked(node, label, sections);
        let _: Option<()> = self.choice(&map, "type", &vec![(); words.len()]);
        None
    }
}
