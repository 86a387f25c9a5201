use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{RULE_BYTES_MAX, walk};
use crate::config::Pipelines;

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
    assert_eq!(names(dir.path(), &twice), ["a/one.yml"]);
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
