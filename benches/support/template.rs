//! Texts with `${name}` in them, which stand under `benches/data`.

/// A piece of a template.
enum Piece {
    Text(String),
    Name(String),
}

/// A compiled template.
pub(crate) struct Template(Vec<Piece>);

/// Values by name; few, so a list.
#[derive(Default)]
pub(crate) struct Values(Vec<(&'static str, String)>);

impl Values {
    /// Sets a value, or replaces it.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "numbers and texts alike, made on the spot"
    )]
    pub(crate) fn set(&mut self, name: &'static str, value: impl ToString) {
        let value = value.to_string();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some(place) => place.1 = value,
            None => self.0.push((name, value)),
        }
    }

    /// Sets every value of `others`, which win.
    pub(crate) fn take(&mut self, others: &mut Self) {
        for (name, value) in others.0.drain(..) {
            self.set(name, value);
        }
    }

    fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map_or_else(|| panic!("`{name}` has no value"), |(_, value)| value)
    }
}

impl Template {
    /// Compiles a text that is JSON but for its names: line breaks and indentation go.
    pub(crate) fn new(text: &str) -> Self {
        let dense: String = text.lines().map(str::trim_start).collect();
        let mut pieces = Vec::new();
        let mut rest = dense.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            let (name, behind) = after.split_once('}').expect("a name has an end");
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Name(name.to_owned()));
            rest = behind;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Self(pieces)
    }

    /// Appends the text with its values to `out`.
    pub(crate) fn fill(&self, values: &Values, out: &mut String) {
        for piece in &self.0 {
            out.push_str(match piece {
                Piece::Text(text) => text,
                Piece::Name(name) => values.get(name),
            });
        }
    }
}
