use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use palisade_detect::diagnostic::Color;
use palisade_detect::engine::EngineOptions;
use palisade_detect::rule::parse::parse;
use palisade_detect::time::Timestamp;

use super::{RULE_BYTES_MAX, walk};
use crate::config::{Pipelines, Rules};

fn put(root: &Path, name: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    fs::write(path, "title: x\n").expect("a file");
}

fn names(root: &Path, paths: &[PathBuf]) -> Vec<String> {
    let (files, problems) = walk(paths);
    assert_eq!(problems, [], "nothing is wrong");
    let root = format!("{}/", root.display());
    files
        .iter()
        .map(|file| file.name.replace(&root, ""))
        .collect()
}

#[test]
fn folder_gives_its_rule_files_by_relative_path() {
    let dir = tempfile::tempdir().expect("a directory");
    for name in [
        "b.yml",
        "a/z.yaml",
        "a.yml",
        "a/b.cases.yml",
        "a/notes.md",
        "pipelines/map.yml",
        "a/lists/names.yml",
        ".git/x.yml",
        "a/.hidden.yml",
    ] {
        put(dir.path(), name);
    }
    let found = names(dir.path(), &[dir.path().to_owned()]);
    assert_eq!(found, ["a.yml", "a/z.yaml", "b.yml"]);
}

#[test]
fn file_named_twice_or_behind_a_circle_of_links_is_read_once() {
    let dir = tempfile::tempdir().expect("a directory");
    put(dir.path(), "a/one.yml");
    symlink(dir.path(), dir.path().join("a/up")).expect("a link");
    let twice = [dir.path().to_owned(), dir.path().join("a/one.yml")];
    let (files, problems) = walk(&twice);
    assert_eq!(files.len(), 1);
    let said: Vec<_> = problems
        .iter()
        .map(|one| (one.code, one.is_error(), one.place.file.ends_with("/a/up")))
        .collect();
    assert_eq!(said, [("PAL0115", false, true)]);
}

#[test]
fn links_without_number_to_one_folder_are_named_ten_times() {
    let dir = tempfile::tempdir().expect("a directory");
    put(dir.path(), "one.yml");
    for link in 0..30 {
        symlink(".", dir.path().join(format!("l{link}"))).expect("a link");
    }
    let (files, problems) = walk(&[dir.path().to_owned()]);
    assert_eq!((files.len(), problems.len()), (1, 10));
}

#[test]
fn a_rule_file_is_a_link_only_within_the_folder_that_was_given() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path();
    // As a mounted `ConfigMap` has it.
    put(root, "rules/..2026/mounted.yml");
    symlink("..2026", root.join("rules/..data")).expect("a link");
    symlink("..data/mounted.yml", root.join("rules/mounted.yml")).expect("a link");
    put(root, "elsewhere/secret.yml");
    put(root, "elsewhere/secret.cases.yml");
    fs::write(root.join("passwd"), "root:x:0:0\n").expect("a file");
    for (to, from) in [
        ("passwd", "p.yml"),
        ("elsewhere", "folder"),
        ("elsewhere/secret.cases.yml", "mounted.cases.yml"),
        ("passwd", "no_rule.txt"),
    ] {
        symlink(root.join(to), root.join("rules").join(from)).expect("a link");
    }
    symlink(root.join("rules"), root.join("given")).expect("a link");
    for given in ["rules", "given"] {
        let (files, problems) = walk(&[root.join(given)]);
        let read: Vec<_> = files.iter().map(|file| &*file.name).collect();
        assert_eq!(read, [format!("{}/{given}/mounted.yml", root.display())]);
        let said: Vec<_> = problems
            .iter()
            .map(|one| (one.code, one.place.file.rsplit('/').next().expect("a name")))
            .collect();
        assert_eq!(said, [("PAL0114", "folder"), ("PAL0114", "p.yml")]);
        assert!(problems[0].message.contains("out of the folder of rules"));
        let (cases, problems) = walk::cases(&[root.join(given)]);
        assert!(cases.is_empty());
        assert!(problems.iter().all(|one| one.code == "PAL0114"));
    }
    // What is given by itself may stand anywhere.
    let (files, problems) = walk(&[root.join("rules/p.yml")]);
    assert_eq!((files.len(), problems.len()), (1, 0));
}

#[test]
fn folder_below_the_deepest_one_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let deepest = "f/".repeat(31);
    put(dir.path(), &format!("{deepest}in.yml"));
    put(dir.path(), &format!("{deepest}f/out.yml"));
    let (files, problems) = walk(&[dir.path().to_owned()]);
    assert_eq!(files.len(), 1);
    let said: Vec<_> = problems.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(said, ["folder lies deeper than the limit of 32 folders"]);
    assert!(problems[0].place.file.ends_with(&format!("/{deepest}f")));
}

#[test]
fn what_cannot_be_read_is_a_diagnostic_and_the_rest_is_read() {
    let dir = tempfile::tempdir().expect("a directory");
    put(dir.path(), "one.yml");
    symlink("nowhere", dir.path().join("two.yml")).expect("a link");
    let missing = dir.path().join("missing");
    let (files, problems) = walk(&[missing.clone(), dir.path().to_owned()]);
    assert_eq!(files.len(), 1);
    let places: Vec<_> = problems
        .iter()
        .map(|one| one.place.file.to_string())
        .collect();
    assert_eq!(
        places,
        [
            missing.display().to_string(),
            format!("{}/two.yml", dir.path().display())
        ]
    );
}

#[test]
fn what_is_no_regular_file_is_refused_without_being_opened() {
    let dir = tempfile::tempdir().expect("a directory");
    put(dir.path(), "one.yml");
    let pipe = dir.path().join("two.yml");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("`mkfifo` is there").success());
    let (files, problems) = walk(&[dir.path().to_owned()]);
    assert_eq!(files.len(), 1);
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let expected = format!(
        "{}:1:1: error[PAL0114]: this cannot be read: it is no regular file",
        pipe.display()
    );
    assert_eq!(problems, [expected]);
}

#[test]
fn set_over_the_limit_of_bytes_is_refused_as_a_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let most = RULE_BYTES_MAX / (1 << 20);
    for n in 0..=most {
        let file = fs::File::create(dir.path().join(format!("{n:03}.yml")));
        file.and_then(|file| file.set_len(1 << 20)).expect("a file");
    }
    let (files, problems) = walk(&[dir.path().to_owned()]);
    assert_eq!(files.len(), 0);
    let [over] = problems.as_slice() else {
        panic!("one problem, not {problems:?}");
    };
    assert_eq!(
        over.message,
        "the rule set has more than the limit of 134217728 bytes with this file"
    );
}

#[test]
fn argument_none_switches_the_built_in_map_off_and_files_add_to_it() {
    let added = Pipelines::built_in().with_arguments(&["a.yml".into()]);
    assert_eq!(
        added,
        Pipelines {
            default: true,
            files: vec!["a.yml".into()]
        }
    );
    let alone = Pipelines::built_in().with_arguments(&["none".into(), "a.yml".into()]);
    assert_eq!(
        alone,
        Pipelines {
            default: false,
            files: vec!["a.yml".into()]
        }
    );
}

// ---------------------------------------------------------------------------------------------
// Lists

/// A rule that looks its user up in this list.
fn listing(list: &str) -> String {
    format!(
        "title: {list}\nid: {list}\nstatus: test\nlevel: low\nlogsource: {{product: azure}}\n\
         detection: {{s: {{User|in_list: {list}}}, condition: s}}\n"
    )
}

fn write(root: &Path, name: &str, text: impl AsRef<[u8]>) {
    put(root, name);
    fs::write(root.join(name), text).expect("a file");
}

/// Code, file and line of a problem.
type Problem = (&'static str, String, u32);

/// Ids of the rules that load from a path, with code, file and line of all that is wrong.
fn loaded(path: &Path, root: &Path) -> (Vec<String>, Vec<Problem>) {
    let rules = Rules::of_paths(&[path.to_owned()]);
    let options = EngineOptions::default();
    let loaded = super::load(&rules, &Pipelines::built_in(), options, Timestamp::MIN);
    let engine = loaded.engine.expect("an engine");
    let ids = engine.rules().iter().map(|rule| rule.id.to_string());
    let found = loaded.findings.diagnostics.iter();
    let root = format!("{}/", root.display());
    let found = found.map(|one| (one.code, one.place.file.replace(&root, ""), one.place.line));
    (ids.collect(), found.collect())
}

/// Those of the problems that stand in lists.
fn of_lists(problems: &[Problem]) -> Vec<(&'static str, &str, u32)> {
    let of_lists = problems
        .iter()
        .filter(|(_, file, _)| file.contains("lists/"));
    of_lists
        .map(|(code, file, line)| (*code, file.as_str(), *line))
        .collect()
}

#[test]
fn lists_stand_in_the_rules_folder_or_else_beside_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path();
    write(root, "rules/sub/a.yml", listing("users"));
    write(root, "rules/sub/lists/users.txt", "deep\n");
    assert_eq!(loaded(&root.join("rules"), root).0, [""; 0]);
    write(root, "lists/users.txt", "kim\n");
    assert_eq!(
        loaded(&root.join("rules"), root),
        (vec!["users".to_owned()], Vec::new())
    );
    assert_eq!(loaded(&root.join("rules/sub/a.yml"), root).0, ["users"]);
    let (mut set, _) = parse(&walk(&[root.join("rules")]).0);
    assert_eq!(super::give_lists(&[root.join("rules")], &mut set), []);
    assert_eq!(set.lists.entries(), 1);
    write(root, "rules/lists/other.txt", "kim\n");
    let (ids, problems) = loaded(&root.join("rules"), root);
    assert_eq!(ids, [""; 0], "the folder within counts alone");
    assert_eq!(problems, [("PAL0311", "rules/sub/a.yml".to_owned(), 6)]);
}

#[test]
fn a_list_that_cannot_be_read_takes_its_rules_along_and_no_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path();
    for list in [
        "good",
        "bad",
        "twice",
        "pipe",
        "huge",
        "hosts.owner",
        "hosts.oner",
    ] {
        write(root, &format!("rules/{list}.yml"), listing(list));
    }
    write(root, "rules/lists/good.txt", "kim\n");
    write(root, "rules/lists/bad.txt", "kim\n10.0.0.1/8\n");
    write(root, "rules/lists/twice.csv", "h\n");
    write(root, "rules/lists/twice.txt", "h\n");
    write(root, "rules/lists/huge.txt", b"1\n".repeat((32 << 20) + 1));
    write(root, "rules/lists/hosts.csv", "host,owner\nvm1,kim\n");
    write(root, "rules/lists/unused.txt", "10.0.0.1/8\n");
    write(root, "rules/lists/no.name.txt", "x\n");
    let pipe = root.join("rules/lists/pipe.txt");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("`mkfifo` is there").success());
    let (ids, problems) = loaded(&root.join("rules"), root);
    assert_eq!(ids, ["good", "hosts.owner"]);
    assert_eq!(
        of_lists(&problems),
        [
            ("PAL0352", "rules/lists/no.name.txt", 1),
            ("PAL0312", "rules/lists/bad.txt", 2),
            ("PAL0312", "rules/lists/hosts.csv", 1),
            ("PAL0313", "rules/lists/huge.txt", 1),
            ("PAL0114", "rules/lists/pipe.txt", 1),
            ("PAL0312", "rules/lists/twice.csv", 1),
        ]
    );
    let of_rules = problems.iter().filter(|(code, ..)| *code == "PAL0311");
    assert_eq!(of_rules.count(), 5);
}

#[test]
fn a_list_is_a_link_only_within_its_folder() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path();
    for list in ["mounted", "out", "doubted"] {
        write(root, &format!("rules/{list}.yml"), listing(list));
    }
    // As a mounted `ConfigMap` has it.
    write(root, "rules/lists/..2026/mounted.txt", "kim\n");
    symlink("..2026", root.join("rules/lists/..data")).expect("a link");
    symlink("..data/mounted.txt", root.join("rules/lists/mounted.txt")).expect("a link");
    write(root, "secret", "hunter2\n10.0.0.1/8\n");
    symlink(root.join("secret"), root.join("rules/lists/out.txt")).expect("a link");
    write(root, "rules/lists/doubted.txt", "1.2.3/8\n");
    let (ids, problems) = loaded(&root.join("rules"), root);
    assert_eq!(ids, ["doubted", "mounted"]);
    assert_eq!(
        of_lists(&problems),
        [
            ("PAL0353", "rules/lists/doubted.txt", 1),
            ("PAL0114", "rules/lists/out.txt", 1),
        ]
    );
    let loaded = super::load(
        &Rules::of_paths(&[root.join("rules")]),
        &Pipelines::built_in(),
        EngineOptions::default(),
        Timestamp::MIN,
    );
    let said = loaded.findings.render(Color::Never);
    assert!(said.contains("out of the folder of lists"), "{said}");
    assert!(
        said.contains("1.2.3/8") && !said.contains("hunter2"),
        "{said}"
    );
}
