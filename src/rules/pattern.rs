//! Patterns over relative paths.

/// Whether a pattern matches a path, or a folder on the way to it.
///
/// `*` stands for any text within a name, `?` for one character of it, `**` as a name for any folders,
/// none included. A `/` at the end is allowed. Case counts.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.trim_end_matches('/').split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    // After each name of the pattern: how many names of the path may be behind it.
    let mut reached = vec![false; path.len() + 1];
    reached[0] = true;
    for part in pattern {
        let mut next = vec![false; path.len() + 1];
        if part == "**" {
            let mut any = false;
            for (next, reached) in next.iter_mut().zip(&reached) {
                any |= reached;
                *next = any;
            }
        } else {
            for (at, name) in path.iter().enumerate() {
                next[at + 1] = reached[at] && name_matches(part, name);
            }
        }
        reached = next;
    }
    // A folder that matches stands for all below it. Nothing at all is no folder.
    reached.iter().skip(1).any(|reached| *reached)
}

/// Whether one name of a pattern matches one name of a path.
fn name_matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while seen < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at + 1, seen));
                at += 1;
            }
            Some(c) if *c == '?' || *c == name[seen] => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((after, from)) = star else {
                    return false;
                };
                star = Some((after, from + 1));
                at = after;
                seen = from + 1;
            }
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names_folders_and_everything_below_them() {
        for (pattern, path) in [
            ("azure/**", "azure/a.yml"),
            ("azure", "azure/b/a.yml"),
            ("azure/", "azure/a.yml"),
            ("*.yml", "a.yml"),
            ("**/*.yml", "a.yml"),
            ("**/*.yml", "x/y/a.yml"),
            ("**/experimental/*", "azure/experimental/a.yml"),
            ("**/experimental/*", "experimental/b/a.yml"),
            ("cloud/*/sign?n*", "cloud/azure/signin_logs/a.yml"),
            ("**", "a.yml"),
            ("a*b*c.yml", "aXbYbZc.yml"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("azure/**", "aws/a.yml"),
            ("azure", "azure_old/a.yml"),
            ("*.yml", "x/a.yaml"),
            ("*.yml", "x/a.yml"),
            ("Azure", "azure/a.yml"),
            ("a?.yml", "a.yml"),
            ("b/**", "a/b/c.yml"),
            ("", "a.yml"),
            ("a*b*c.yml", "aXbYbZ.yml"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn pattern_full_of_stars_takes_no_time() {
        let name = "a".repeat(5_000);
        assert!(!matches(&"*a".repeat(200), &format!("{name}b")));
        let deep = "a/".repeat(500);
        assert!(!matches(
            &format!("{}b", "**/".repeat(200)),
            &format!("{deep}c")
        ));
    }
}
