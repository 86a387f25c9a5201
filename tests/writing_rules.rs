//! `docs/writing-rules.md` as a person follows it: every file that it shows is written, every command is
//! run against the built program in one folder, and what comes out is what the page shows.
//! `PALISADE_UPDATE_DOCS=1` writes the outputs anew.
//!
//! The page's own language: ```` ```yaml file=PATH ```` (or `json`) writes that file, `append=PATH` to
//! its end; in ```` ```console ```` a line that begins with `$ ` is a command, a backslash at its end continues it,
//! and what follows is its output, standard error included.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory as _;
use regex::Regex;

#[path = "support/page.rs"]
mod page;

const PAGE: &str = "docs/writing-rules.md";

/// Kinds of fenced blocks on the page. There is none for commands that are not run.
const KINDS: [&str; 4] = ["console", "yaml", "json", "text"];

fn text() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    fs::read_to_string(path).expect("the page is there")
}

/// A part of the page, in order: prose with its fences, or what stands inside a fence.
enum Part {
    Prose(String),
    /// The words behind the fence, and the lines inside.
    Block(String, String),
}

fn parts(page: &str) -> Vec<Part> {
    let mut parts = vec![Part::Prose(String::new())];
    for line in page.split_inclusive('\n') {
        let fence = line.trim_end().strip_prefix("```");
        let next = match (parts.last_mut().expect("never empty"), fence) {
            (Part::Prose(prose), Some(info)) => {
                prose.push_str(line);
                Some(Part::Block(info.to_owned(), String::new()))
            }
            (Part::Block(..), Some("")) => Some(Part::Prose(line.to_owned())),
            (Part::Prose(text) | Part::Block(_, text), _) => {
                text.push_str(line);
                None
            }
        };
        parts.extend(next);
    }
    parts
}

/// Runs a command in the folder; what it prints on both streams.
fn run(folder: &Path, command: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_palisade"));
    let programs = program.parent().expect("it stands in a folder");
    let path = std::env::join_paths([programs, Path::new("/usr/bin"), Path::new("/bin")]);
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .current_dir(folder)
        .env_clear()
        .env("PATH", path.expect("no colon in it"))
        .env("HOME", folder)
        .output()
        .expect("a shell");
    let mut text = String::from_utf8(output.stdout).expect("output is text");
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// The output without what differs from run to run.
fn settled(output: &str) -> String {
    let times = Regex::new(r"\b[0-9]+(\.[0-9]+)? (s|ms|µs)\b").expect("a pattern");
    times.replace_all(output, "_ s").into_owned()
}

/// A console block with the outputs that its commands have now.
fn executed(folder: &Path, block: &str) -> String {
    let mut out = String::new();
    let mut lines = block.split_inclusive('\n').peekable();
    while let Some(first) = lines.next() {
        let mut command = first
            .strip_prefix("$ ")
            .unwrap_or_else(|| panic!("output without a command: {first}"))
            .to_owned();
        out.push_str(first);
        while command.ends_with("\\\n") {
            let more = lines.next().expect("a continued line");
            command.push_str(more);
            out.push_str(more);
        }
        let mut shown = String::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
            shown.push_str(line);
        }
        let printed = run(folder, &command);
        let same = settled(&printed) == settled(&shown);
        out.push_str(if same { &shown } else { &printed });
    }
    out
}

/// Writes a file of the page, or to the end of one.
fn write(folder: &Path, how: &str, (path, text): (&str, &str)) {
    let relative = PathBuf::from(path);
    let inside = relative
        .components()
        .all(|part| matches!(part, std::path::Component::Normal(_)));
    assert!(inside, "{path} leads out of the folder");
    let file = folder.join(relative);
    fs::create_dir_all(file.parent().expect("below the folder")).expect("a folder");
    let before = match how {
        "file" => String::new(),
        "append" => fs::read_to_string(&file).expect("a file of the page"),
        other => panic!("`{other}=` has no meaning"),
    };
    fs::write(file, before + text).expect("a file");
}

#[test]
fn every_command_prints_what_the_page_shows() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut now = String::new();
    let mut commands = 0;
    for part in parts(&text()) {
        match part {
            Part::Prose(text) => now.push_str(&text),
            Part::Block(info, text) => {
                let mut words = info.split(' ');
                let kind = words.next().unwrap_or_default();
                assert!(KINDS.contains(&kind), "a block of the kind `{info}`");
                if kind == "console" {
                    commands += text.matches("$ palisade ").count();
                    now.push_str(&executed(folder.path(), &text));
                } else {
                    if let Some((how, path)) = words.next().and_then(|word| word.split_once('=')) {
                        write(folder.path(), how, (path, &text));
                    }
                    now.push_str(&text);
                }
            }
        }
    }
    assert!(commands >= 12, "only {commands} commands");
    page::compare(PAGE, &now);
}

#[test]
fn every_command_named_in_a_sentence_exists() {
    let named = Regex::new("`palisade ([^`]+)`").expect("a pattern");
    let prose: Vec<String> = parts(&text())
        .into_iter()
        .filter_map(|part| match part {
            Part::Prose(text) => Some(text),
            Part::Block(..) => None,
        })
        .collect();
    let mut seen = 0;
    for found in named.captures_iter(&prose.join("")) {
        let words: Vec<&str> = found[1].split_whitespace().collect();
        let mut command = palisade::cli::Cli::command();
        command.build();
        for word in words {
            if let Some(flag) = word.strip_prefix("--") {
                let name = flag.split('=').next();
                let known = command.get_arguments().any(|one| one.get_long() == name);
                assert!(known, "`--{flag}` in `palisade {}`", &found[1]);
            } else if let Some(inner) = command.find_subcommand(word) {
                command = inner.clone();
            } else {
                assert_ne!(command.get_name(), "palisade", "no command `{word}`");
            }
        }
        seen += 1;
    }
    assert!(seen >= 4, "only {seen} commands are named");
}
