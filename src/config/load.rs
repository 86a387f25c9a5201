//! Reads the file and the environment; the only place that does.

/// An environment variable, if it is set to UTF-8 text.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
