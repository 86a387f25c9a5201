//! Secrets in events, which must not get into a case file and with it into a repository.
//!
//! Logs can hold what was sent: tokens in headers, signatures in addresses, keys in answers. A text is
//! taken out when its key is named like a secret or when it looks like one. This finds the common
//! forms, not everything: whoever commits a case reads it first.

use std::borrow::Cow;

use palisade_detect::value::{Object, Value};

/// What stands in place of a secret.
pub const REDACTED: &str = "REDACTED";

/// Ends of keys, without separators and in lower case, whose text is a secret. Whole words, as Entra
/// writes `uniqueTokenIdentifier` and `incomingTokenType`, which are none.
const KEYS: [&str; 15] = [
    "password",
    "passwd",
    "secret",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "authorization",
    "connectionstring",
    "accountkey",
    "accesskey",
    "apikey",
    "privatekey",
    "secretkey",
    "sharedaccesssignature",
    "cookie",
];

/// What stands in texts before a secret.
const MARKS: [&str; 7] = [
    "bearer ",
    "sig=",
    "accountkey=",
    "sharedaccesskey=",
    "password=",
    "-----begin ",
    "client_secret=",
];

/// The value without secrets, and the paths of what was taken out.
pub fn redact<'a>(value: &Value<'a>) -> (Value<'a>, Vec<String>) {
    let mut found = Vec::new();
    let clean = clean(value, "", &mut found);
    (clean, found)
}

fn clean<'a>(value: &Value<'a>, path: &str, found: &mut Vec<String>) -> Value<'a> {
    match value {
        Value::Object(object) => {
            let mut out = Object::default();
            for (key, member) in object.members() {
                let path = if path.is_empty() {
                    key.clone().into_owned()
                } else {
                    format!("{path}.{key}")
                };
                out.insert(key.clone(), clean(member, &path, found));
            }
            Value::Object(out)
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| clean(item, path, found));
            Value::Array(items.collect())
        }
        Value::Text(text) if names_secret(path) || is_secret(text.raw()) => {
            if !text.raw().is_empty() {
                found.push(path.to_owned());
            }
            Value::text(Cow::Borrowed(if text.raw().is_empty() {
                ""
            } else {
                REDACTED
            }))
        }
        other => other.clone(),
    }
}

/// Whether the last key of a path is named like a secret.
fn names_secret(path: &str) -> bool {
    let key = path.rsplit('.').next().unwrap_or_default();
    let letters = key.chars().filter(char::is_ascii_alphanumeric);
    let key: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    KEYS.iter().any(|end| key.ends_with(end))
}

/// Whether a text holds something that looks like a secret.
fn is_secret(text: &str) -> bool {
    let folded = text.to_ascii_lowercase();
    MARKS.iter().any(|mark| folded.contains(mark)) || text.split_whitespace().any(is_web_token)
}

/// A signed JSON Web Token: three parts of base64, the first an object.
fn is_web_token(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    let base64 = |part: &&str| {
        part.len() >= 8
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    parts.len() == 3 && word.starts_with("eyJ") && parts.iter().all(base64)
}

#[cfg(test)]
mod tests {
    use palisade_detect::value;

    use super::*;

    #[test]
    fn secrets_are_taken_out_by_their_keys_and_by_their_looks() {
        let text = br#"{"a":{"Client_Secret":"hunter2","list":[{"password":"p"}]},
            "url":"https://x.blob.core.windows.net/c?sv=1&sig=abc%3D","header":"Bearer abc.def",
            "token":"eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl","key":"-----BEGIN PRIVATE KEY-----",
            "empty":{"password":""}}"#;
        let parsed = value::parse(text, 64).expect("JSON");
        let (clean, found) = redact(&parsed.value);
        assert_eq!(
            found,
            [
                "a.Client_Secret",
                "a.list.password",
                "url",
                "header",
                "token",
                "key"
            ]
        );
        let clean = clean.to_json();
        for secret in ["hunter2", "\"p\"", "sig=", "abc.def", "eyJ", "BEGIN"] {
            assert!(!clean.contains(secret), "{secret} in {clean}");
        }
    }

    #[test]
    fn names_that_only_speak_of_secrets_stay() {
        let text = br#"{"uniqueTokenIdentifier":"x","incomingTokenType":"none","resultType":"0",
            "operationName":"SecretGet","id":"https://v.vault.azure.net/secrets/db/1",
            "passwordExpiry":"2026","design":"v=1&design=2"}"#;
        let parsed = value::parse(text, 64).expect("JSON");
        let (clean, found) = redact(&parsed.value);
        assert_eq!(found, [""; 0]);
        assert_eq!(clean.to_json(), parsed.value.to_json());
    }
}
