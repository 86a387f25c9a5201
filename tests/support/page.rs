//! Pages that are generated: compared with what stands in the repository, or written anew.

use std::path::Path;

/// Compares `text` with the file at `path` below the root package; with `PALISADE_UPDATE_DOCS` set
/// it is written first.
#[expect(
    clippy::disallowed_methods,
    reason = "the switch that rewrites generated pages"
)]
pub(crate) fn compare(path: &str, text: &str) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("PALISADE_UPDATE_DOCS").is_some() {
        std::fs::write(&page, text).expect("the page can be written");
    }
    let written = std::fs::read_to_string(&page).unwrap_or_default();
    assert!(
        written == text,
        "{path} is not up to date: run the tests with PALISADE_UPDATE_DOCS=1 to rewrite it"
    );
}
