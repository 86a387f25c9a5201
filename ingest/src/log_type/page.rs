//! The page `docs/log-types.md`, written from the table.

use std::fmt::Write;

use super::{ALL, LogType, When};

/// The page: for every log type how it is recognised and what its events state.
pub fn page() -> String {
    let mut page = String::from(HEAD);
    let mut rows = ALL.iter().flat_map(|rows| rows.iter()).peekable();
    while let Some(row) = rows.next() {
        let mut told = vec![when(&row.when)];
        while let Some(next) = rows.next_if(|next| next.log_type.name == row.log_type.name) {
            told.push(when(&next.when));
        }
        line(&mut page, row.log_type, &told.join("; or "));
    }
    line(&mut page, &super::UNKNOWN, "none of the above");
    page
}

const HEAD: &str = "# Log types

Written by `PALISADE_UPDATE_DOCS=1 cargo test -p palisade-ingest`; a test compares.

How a record is recognised (the first line that holds counts), which log sources its events state,
where their time stands, and how late they usually are. A log source is `product/category/service`,
parts that are absent left out. The types `azure_resource_log` and `log_analytics` state the record's
category or table, in lower case, as their service.

| log type | recognised by | log sources | event time | lateness |
| --- | --- | --- | --- | --- |
";

fn line(page: &mut String, log_type: &LogType, told: &str) {
    let sources: Vec<_> = log_type
        .logsources
        .iter()
        .map(|source| format!("`{source}`"))
        .collect();
    let sources = if sources.is_empty() {
        "none".to_owned()
    } else {
        sources.join(", ")
    };
    let times = if log_type.name.ends_with("_flow") && log_type.name != "ddos_flow" {
        "first column of the tuple".to_owned()
    } else if log_type.event_time.is_empty() {
        "none".to_owned()
    } else {
        codes(log_type.event_time)
    };
    let minutes = log_type.lateness.ticks() / (60 * palisade_detect::time::TICKS_PER_SECOND);
    let lateness = if minutes < 120 {
        format!("{minutes} min")
    } else {
        format!("{} h", minutes / 60)
    };
    writeln!(
        page,
        "| `{}` | {told} | {sources} | {times} | {lateness} |",
        log_type.name
    )
    .expect("text takes text");
}

fn when(when: &When) -> String {
    match when {
        When::Category(names) => format!("`category` {}", codes(names)),
        When::CategoryOf(names, provider) => {
            format!("`category` {} of a resource of `{provider}`", codes(names))
        }
        When::Table(names) => format!("row of {}", codes(names)),
        When::ResourceType(names) => format!("`type` {}", codes(names)),
        When::Members(names) => format!("members {}", codes(names)),
        When::Shape(text, _) | When::ShapeOf(_, text, _) => (*text).to_owned(),
    }
}

fn codes(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the switch that rewrites generated pages"
    )]
    fn the_page_of_log_types_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/log-types.md");
        if std::env::var_os("PALISADE_UPDATE_DOCS").is_some() {
            std::fs::write(&path, page()).expect("the page can be written");
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            written,
            page(),
            "run the tests with PALISADE_UPDATE_DOCS=1 to rewrite it"
        );
    }
}
