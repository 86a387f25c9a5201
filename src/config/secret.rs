//! Secrets: the configuration says where one stands, never what it is.

use std::fs::File;
use std::io::Read as _;

use palisade_detect::diagnostic::{Diagnostic, code};
use palisade_detect::yaml::{Node, Yaml};
use palisade_ingest::secret::Secret;

use super::reader::{From, Map, Reader, is_variable};

/// Largest file of a secret, in bytes: a key or a connection string has a few hundred.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

const FORMS: &str =
    "a secret is written as `{env: NAME}`, `${NAME}`, `{file: PATH}` or `file:PATH`";

/// Where a secret stands.
enum Form {
    Variable(String),
    File(String),
}

impl Reader<'_> {
    /// A secret option; `None` if it is absent or wrong.
    pub fn secret(&mut self, map: &Map<'_>, key: &str) -> Option<Secret> {
        let node = self.required(map, key)?;
        let full = map.full(key);
        let Some(form) = form(node) else {
            self.mask(node);
            let message = format!("`{full}` must not be written here in plain text");
            let problem = Diagnostic::error(code::CONFIG_VALUE, &node.place, message);
            self.problems.push(problem.with_help(FORMS));
            return None;
        };
        let (found, shown, help) = match form {
            Form::Variable(name) => (
                self.in_environment(&name),
                format!("*** (environment {name})"),
                format!("set the variable `{name}` where the program is started"),
            ),
            Form::File(path) => (
                self.in_file(&path),
                format!("*** (file {path})"),
                format!(
                    "put the secret into the file `{path}`, which the account that runs this reads"
                ),
            ),
        };
        match found {
            Ok(text) if text.is_empty() => {
                let message = format!("`{full}` is empty");
                self.advise(code::CONFIG_VALUE, &node.place, message, help);
                None
            }
            Ok(text) => {
                self.entry(full, shown, From::File(node.place.clone(), Vec::new()));
                Some(Secret::new(text))
            }
            Err(reason) => {
                let message = format!("`{full}`: {reason}");
                self.advise(code::CONFIG_VARIABLE, &node.place, message, help);
                None
            }
        }
    }

    fn in_environment(&self, name: &str) -> Result<String, String> {
        self.variable(name)
            .ok_or_else(|| format!("the environment variable `{name}` is not set"))
    }

    fn in_file(&self, path: &str) -> Result<String, String> {
        let path = self.resolve(path);
        let cannot =
            |error: &dyn std::fmt::Display| format!("cannot read `{}`: {error}", path.display());
        let mut text = String::new();
        File::open(&path)
            .and_then(|file| file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text))
            .map_err(|error| cannot(&error))?;
        if text.len() as u64 > SECRET_BYTES_MAX {
            return Err(cannot(&format_args!(
                "it is larger than {SECRET_BYTES_MAX} bytes"
            )));
        }
        let text = text.strip_suffix('\n').unwrap_or(&text);
        Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
    }

    /// Keeps every scalar of the node out of what is shown of the file.
    pub(super) fn mask(&mut self, node: &Node) {
        match &node.value {
            Yaml::Seq(items) => items.iter().for_each(|item| self.mask(item)),
            Yaml::Map(entries) => entries.iter().for_each(|(key, value)| {
                self.mask(key);
                self.mask(value);
            }),
            _ => self.masked.push(node.place.span.clone()),
        }
    }
}

/// The form a node has, if it is one of the four.
fn form(node: &Node) -> Option<Form> {
    if let Some(text) = node.as_text() {
        if let Some(path) = text.strip_prefix("file:") {
            return (!path.is_empty()).then(|| Form::File(path.to_owned()));
        }
        let name = text.strip_prefix("${")?.strip_suffix('}')?;
        return is_variable(name).then(|| Form::Variable(name.to_owned()));
    }
    let [(key, value)] = node.as_map()? else {
        return None;
    };
    match (key.as_text()?, value.as_text()?) {
        ("env", name) if is_variable(name) => Some(Form::Variable(name.to_owned())),
        ("file", path) if !path.is_empty() => Some(Form::File(path.to_owned())),
        _ => None,
    }
}
