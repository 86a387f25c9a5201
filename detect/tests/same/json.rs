//! JSON values as they are written.

/// A JSON value as it is written, which may be wrong.
#[derive(Debug, Clone)]
pub(crate) enum Json {
    /// Anything that stands without quotes.
    Bare(String),
    /// What stands between quotes, escapes and all.
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
    /// Text that holds JSON.
    Inner(Box<Json>),
    /// Many levels around a value.
    Deep(usize, Box<Json>),
}

/// Blanks between the parts of a record, in turn.
pub(crate) const BLANKS: &[&[&str]] = &[
    &[""],
    &[""],
    &[""],
    &[" "],
    &["", "", " "],
    &["\n  ", "", "\t", " \r\n"],
    &[
        "",
        "                                                                     ",
    ],
];

/// Writes JSON as text.
pub(crate) struct Writer {
    pub(crate) text: String,
    blanks: &'static [&'static str],
    turn: usize,
}

impl Writer {
    pub(crate) fn new(blanks: &'static [&'static str]) -> Self {
        Self {
            text: String::new(),
            blanks,
            turn: 0,
        }
    }

    fn put(&mut self, part: &str) {
        self.text.push_str(part);
        self.text
            .push_str(self.blanks[self.turn % self.blanks.len()]);
        self.turn += 1;
    }

    fn quoted(&mut self, inside: &str) {
        self.text.push('"');
        self.text.push_str(inside);
        self.put("\"");
    }

    pub(crate) fn value(&mut self, json: &Json) {
        match json {
            Json::Bare(text) => self.put(text),
            Json::Text(inside) => self.quoted(inside),
            Json::Array(items) => {
                self.put("[");
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        self.put(",");
                    }
                    self.value(item);
                }
                self.put("]");
            }
            Json::Object(members) => {
                self.put("{");
                for (place, (key, value)) in members.iter().enumerate() {
                    if place > 0 {
                        self.put(",");
                    }
                    self.quoted(key);
                    self.put(":");
                    self.value(value);
                }
                self.put("}");
            }
            Json::Inner(json) => {
                let mut inner = Self::new(self.blanks);
                inner.value(json);
                let escaped = serde_json::to_string(&inner.text).expect("text is JSON");
                self.put(&escaped);
            }
            Json::Deep(levels, json) => {
                // Objects and arrays in turn; paths that rules name lead into them.
                for level in 0..*levels {
                    self.text.push_str(["[", "{\"a\":"][level % 2]);
                }
                self.value(json);
                for level in (0..*levels).rev() {
                    self.text.push_str(["]", "}"][level % 2]);
                }
            }
        }
    }
}
