//! Explanations of codes: on a terminal, and as a page.

use anstyle::{AnsiColor, Style};
use palisade_detect::diagnostic::explain::{Example, Explanation, Outcome};
use palisade_detect::diagnostic::{Code, Color, code};
use palisade_detect::lint;

/// Groups of codes, by their first digits.
const GROUPS: &[(&str, &str)] = &[
    ("PAL01", "YAML and files"),
    ("PAL02", "Documents"),
    ("PAL03", "Searches"),
    ("PAL04", "Conditions"),
    ("PAL05", "Correlations"),
    ("PAL06", "Filters"),
    ("PAL07", "Pipelines"),
    ("PAL08", "Configuration"),
    ("PAL09", "Case files"),
    ("PAL10", "Checks of metadata"),
    ("PAL11", "Checks of style"),
    ("PAL12", "Checks of tags"),
    ("PAL13", "Checks for duplicates"),
    ("PAL14", "Checks of logic"),
    ("PAL15", "Checks of values and regular expressions"),
    ("PAL16", "Checks of cost"),
    ("PAL17", "Checks of correlations"),
    ("PAL18", "Checks of fields and log sources"),
    ("PAL19", "Checks of filters, pipelines and case files"),
    ("PAL20", "Comments and levels"),
];

/// A code's explanation for a person at a terminal.
pub fn text(code: Code, color: Color) -> String {
    let Explanation {
        title,
        prose,
        examples,
    } = code.explanation();
    let severity = lint::severity(code).name();
    let bold = Style::new().bold();
    let mut out = format!(
        "{}: {title}\n\n{prose}\n",
        paint(&bold, color, &format!("{severity}[{}]", code.id))
    );
    for (outcome, heading, hue) in [
        (Outcome::Fails, "Fails", AnsiColor::Red),
        (Outcome::Mended, "Mended", AnsiColor::Green),
    ] {
        let style = Style::new().bold().fg_color(Some(hue.into()));
        let own = examples.iter().filter(|one| one.outcome == outcome);
        for (at, example) in own.enumerate() {
            let heading = if at == 0 {
                paint(&style, color, heading)
            } else {
                String::new()
            };
            let name = paint(&Style::new().dimmed(), color, example.file);
            out.extend([
                "\n",
                heading.as_str(),
                if at == 0 { "  " } else { "" },
                &name,
                "\n\n",
            ]);
            for line in example.text.lines() {
                out.extend(["    ", line, "\n"]);
            }
        }
    }
    out
}

fn paint(style: &Style, color: Color, text: &str) -> String {
    match color {
        Color::Never => text.to_owned(),
        Color::Always => format!("{style}{text}{style:#}"),
    }
}

const HEAD: &str = "\
# Diagnostics

<!-- Generated from `detect/src/diagnostic/` by `PALISADE_UPDATE_DOCS=1 cargo test`. -->

What `palisade check` and every other command say about rules, pipelines, case files and configuration.
Codes never change their meaning. `palisade check --explain CODE` shows one of them.

An **error** keeps a rule, a pipeline or the configuration from loading. A **warning** is probably not what
was meant; an **info** is worth knowing. Every example on this page is executed by a test.

- **Levels.** `check: {levels: {PAL1001: deny, PAL1210: off}}` in the configuration leaves findings of a code
  out (`off`), shows them as `info` or `warning`, or makes `palisade check` exit with 1 (`deny`). On the command
  line, `--deny warnings` and `--deny CODE` do the same. Errors have no level.
- **Comments.** `# palisade: allow(PAL1002) reason` accepts a finding on its line or, standing alone, on the next
  line. Several codes stand between commas. The reason is mandatory, errors cannot be accepted, and a comment
  that accepts nothing is a finding.
- **Fixes.** `palisade check --diff` shows what can be mended without changing a rule, `--fix` shows and writes
  it: only files below the paths that are judged, each whole or not at all, and never a fix after which a rule
  has another id or version. A file with an error is left alone: its rules have no version to compare.
- **Formats.** `--format text`, `json`, `sarif` (2.1.0, for code scanning) or `github` (annotations).
";

/// The page about all codes.
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    let groups = || {
        GROUPS.iter().filter_map(|(prefix, heading)| {
            let own = code::ALL
                .iter()
                .filter(move |row| row.id.starts_with(prefix));
            let own: Vec<Code> = own.copied().collect();
            (!own.is_empty()).then_some((*heading, own))
        })
    };
    for (heading, codes) in groups() {
        page.extend([
            "\n## ",
            heading,
            "\n\n| code | severity | what is found |\n",
        ]);
        page.push_str("| --- | --- | --- |\n");
        for code in codes {
            let anchor = code.id.to_ascii_lowercase();
            let severity = lint::severity(code).name();
            let title = code.explanation().title.replace('|', "\\|");
            let cells = [code.id, "](#", &anchor, ") | ", severity, " | ", &title];
            page.push_str("| [");
            page.extend(cells);
            page.push_str(" |\n");
        }
    }
    for (_, codes) in groups() {
        for code in codes {
            page.push_str(&section(code));
        }
    }
    page
}

/// What the page says about one code.
fn section(code: Code) -> String {
    let Explanation {
        title,
        prose,
        examples,
    } = code.explanation();
    let mut out = format!(
        "\n## {}\n\n**{title}** ({})\n\n{prose}\n",
        code.id,
        lint::severity(code).name()
    );
    for (outcome, heading) in [(Outcome::Fails, "Fails"), (Outcome::Mended, "Mended")] {
        let own = examples.iter().filter(|one| one.outcome == outcome);
        let own: Vec<&Example> = own.collect();
        for example in &own {
            let name = match own.as_slice() {
                [_] => String::new(),
                _ => format!(" `{}`", example.file),
            };
            let parts = [
                "\n",
                heading,
                &name,
                ":\n\n```yaml\n",
                example.text,
                "```\n",
            ];
            out.extend(parts);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page;

    #[test]
    fn page_of_diagnostics_is_up_to_date() {
        page::compare("docs/diagnostics.md", &reference());
    }

    #[test]
    fn every_code_belongs_to_one_group() {
        for row in code::ALL {
            let groups = GROUPS
                .iter()
                .filter(|(prefix, _)| row.id.starts_with(prefix));
            assert_eq!(groups.count(), 1, "{}", row.id);
        }
    }

    #[test]
    fn terminal_text_has_colours_only_when_asked() {
        let plain = text(code::UNKNOWN_MODIFIER, Color::Never);
        assert!(
            plain.starts_with("error[PAL0302]: a modifier is unknown\n"),
            "{plain}"
        );
        assert!(
            plain.contains("\nFails  rule.yml\n\n    title: "),
            "{plain}"
        );
        assert!(!plain.contains('\u{1b}'));
        assert!(text(code::UNKNOWN_MODIFIER, Color::Always).contains('\u{1b}'));
    }
}
