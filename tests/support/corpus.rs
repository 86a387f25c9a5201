//! SigmaHQ's rule files, from the archive beside this repository.

use std::io::{Cursor, Read as _};
use std::path::Path;
use std::sync::Arc;

use palisade_detect::rule::RuleFile;

const ARCHIVE: &str = "../shared/sigma/sigmahq-rules.tar.xz";

/// Rule files of the corpus.
pub(crate) const FILES: usize = 3_780;

/// The rule files by name, in order of the names; `None` where the archive is not at hand.
///
/// The corpus is no part of this repository. CI has it: its absence there is a failure.
#[expect(
    clippy::disallowed_methods,
    reason = "CI says so by a variable of its environment"
)]
pub(crate) fn corpus() -> Option<Vec<RuleFile>> {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join(ARCHIVE);
    if !archive.exists() {
        assert!(
            std::env::var_os("CI").is_none(),
            "`{ARCHIVE}` is missing, and CI must check the corpus"
        );
        return None;
    }
    let packed = std::fs::read(archive).expect("the archive can be read");
    let mut unpacked = Vec::new();
    lzma_rs::xz_decompress(&mut Cursor::new(packed), &mut unpacked).expect("the archive is xz");
    let mut files = Vec::new();
    let mut archive = tar::Archive::new(Cursor::new(unpacked));
    for entry in archive.entries().expect("the archive is tar") {
        let mut entry = entry.expect("a whole entry");
        let name = entry.path().expect("a name").display().to_string();
        let is_file = entry.header().entry_type().is_file();
        if is_file && Path::new(&name).extension() == Some("yml".as_ref()) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("a whole file");
            files.push(RuleFile {
                name: Arc::from(name.trim_start_matches("sigmahq/")),
                bytes,
            });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(files.len(), FILES, "rule files in the corpus");
    Some(files)
}
