//! Secrets in events, which must not get into a case file and with it into a repository.
//!
//! Logs can hold what was sent: tokens in headers, signatures in addresses, keys in answers. A text is
//! taken out when its key is named like a secret or when it looks like one. This finds the common
//! forms, not everything: whoever commits a case reads it first.

use std::borrow::Cow;

use palisade_detect::value::{Object, Value};

/// What stands in place of a secret.
pub const REDACTED: &str = "REDACTED";

/// What stands in the names of keys, without separators and in lower case, whose text is a secret.
const WORDS: [&str; 11] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "accountkey",
    "privatekey",
    "credentialvalue",
];

/// Ends of such names; within a name they say less, as in `authorizationRule`.
const ENDS: [&str; 5] = [
    "authorization",
    "connectionstring",
    "sharedaccesssignature",
    "cookie",
    "sas",
];

/// Ends of keys that speak of a secret and do not hold it, as Entra's `uniqueTokenIdentifier`,
/// `incomingTokenType` and `tokenIssuerName`, which rules about sign-ins read.
const ABOUT: [&str; 34] = [
    "id",
    "ids",
    "identifier",
    "identifiers",
    "name",
    "type",
    "types",
    "kind",
    "issuer",
    "issuedat",
    "expiry",
    "expires",
    "expireson",
    "expiresin",
    "expiration",
    "date",
    "time",
    "datetime",
    "count",
    "length",
    "age",
    "lifetime",
    "lastset",
    "lastused",
    "lastchanged",
    "policy",
    "policies",
    "status",
    "state",
    "version",
    "method",
    "methods",
    "scope",
    "uri",
];

/// Keys below such a name that hold what it names, as in `password: {value: ...}`.
const HOLDERS: [&str; 3] = ["value", "text", "data"];

/// Texts that say whether there is a secret, not which.
const ANSWERS: [&str; 5] = ["", "true", "false", "none", "null"];

/// What stands in texts before a secret.
const MARKS: [&str; 14] = [
    "bearer ",
    "sig=",
    "accountkey=",
    "sharedaccesskey=",
    "password=",
    "passwd=",
    "pwd=",
    "api_key=",
    "apikey=",
    "access_token=",
    "refresh_token=",
    "id_token=",
    "-----begin ",
    "client_secret=",
];

/// How secrets begin that their makers mark as such: GitHub, GitLab, Slack, Stripe.
const BEGINNINGS: [&str; 13] = [
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxa-",
    "xoxb-",
    "xoxp-",
    "xoxr-",
    "xoxs-",
    "sk_live_",
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
        Value::Text(text) if is_taken_out(path, text.raw()) => {
            found.push(path.to_owned());
            Value::text(Cow::Borrowed(REDACTED))
        }
        other => other.clone(),
    }
}

/// Whether the last key of a path is named like a secret, or holds what such a key names.
fn names_secret(path: &str) -> bool {
    let mut keys = path.rsplit('.').map(folded);
    let key = keys.next().unwrap_or_default();
    if HOLDERS.contains(&key.as_str()) {
        return keys.next().is_some_and(|above| is_secret_key(&above));
    }
    is_secret_key(&key)
}

/// A key in lower case and without separators.
fn folded(key: &str) -> String {
    let letters = key.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Whether a folded key is named like a secret.
fn is_secret_key(key: &str) -> bool {
    let named = WORDS.iter().any(|word| key.contains(word));
    let named = named || ENDS.iter().any(|end| key.ends_with(end));
    named && !ABOUT.iter().any(|end| key.ends_with(end))
}

/// Whether a text below this path is to be taken out.
fn is_taken_out(path: &str, text: &str) -> bool {
    let answers = ANSWERS.iter().any(|one| one.eq_ignore_ascii_case(text));
    if answers {
        return false;
    }
    names_secret(path) || is_secret(text) || (signs(path) && is_opaque(text))
}

/// Whether a key is named as a signature is. Others use the word for the name of a finding, and Azure
/// for the text of a status, so that the value has to look like one as well.
fn signs(path: &str) -> bool {
    let key = folded(path.rsplit('.').next().unwrap_or_default());
    key == "sig" || key.ends_with("signature")
}

/// Whether a text is one long word of letters and digits, as keys and signatures in base64 are.
fn is_opaque(text: &str) -> bool {
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=%".contains(&byte);
    text.len() >= 20 && text.bytes().all(base64) && text.bytes().any(|byte| byte.is_ascii_digit())
}

/// Whether a text holds something that looks like a secret.
fn is_secret(text: &str) -> bool {
    let folded = text.to_ascii_lowercase();
    let part = |letter: char| letter.is_ascii_alphanumeric() || "-_.~".contains(letter);
    MARKS.iter().any(|mark| folded.contains(mark))
        || text
            .split(|letter| !part(letter))
            .any(|word| is_marked(word) || is_web_token(word) || is_entra_secret(word))
}

/// A word that begins as its maker marks secrets.
fn is_marked(word: &str) -> bool {
    let mut beginnings = BEGINNINGS.iter();
    beginnings.any(|beginning| word.len() > beginning.len() && word.starts_with(beginning))
}

/// A client secret of Entra: forty letters or so, with a mark of its own behind the fourth.
fn is_entra_secret(word: &str) -> bool {
    word.len() >= 34 && word.get(3..6).is_some_and(|mark| mark.ends_with("Q~"))
}

/// A JSON Web Token: parts of base64, the first an object. The last is empty if it is not signed, and
/// one that is encrypted has five.
fn is_web_token(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    let base64 = |part: &&str| {
        let mut bytes = part.bytes();
        bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    matches!(parts.len(), 3 | 5)
        && word.starts_with("eyJ")
        && !parts[1].is_empty()
        && parts.iter().all(base64)
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

    /// Whether a member of an event is taken out.
    fn is_out(key: &str, text: &str) -> bool {
        let event = serde_json::json!({key: text}).to_string();
        let parsed = value::parse(event.as_bytes(), 64).expect("JSON");
        !redact(&parsed.value).1.is_empty()
    }

    #[test]
    fn keys_are_judged_by_what_they_hold_and_not_by_what_they_speak_of() {
        for key in [
            "token",
            "sessionToken",
            "x-amz-security-token",
            "secretText",
            "client_secret_value",
            "pwd",
            "dbPwd",
            "passphrase",
            "Passwd",
            "adminPassword1",
            "apiKey",
            "api-key-primary",
            "secretAccessKey",
            "privateKeyPem",
            "credentialValue",
            "accountSas",
            "sharedAccessSignature",
            "Set-Cookie",
        ] {
            assert!(is_out(key, "abc123"), "{key}");
        }
        for key in [
            "tokenIssuerName",
            "tokenIssuerType",
            "uniqueTokenIdentifier",
            "incomingTokenType",
            "TokenIssuedAt",
            "accessKeyId",
            "secretName",
            "secretVersion",
            "pwdLastSet",
            "badPwdCount",
            "passwordPolicies",
            "credentialType",
            "resultSignature",
            "userPrincipalName",
            "authorizationRule",
        ] {
            assert!(!is_out(key, "abc123"), "{key}");
        }
        for text in ["true", "False", "none", ""] {
            assert!(!is_out("hasPassword", text), "{text}");
        }
        assert!(is_out("signature", "c2lnbmF0dXJlMTIzNDU2Nzg5MA=="));
        assert!(!is_out(
            "signature",
            "ET SCAN Suspicious inbound to MSSQL port 1433"
        ));
        let text = br#"{"password":{"value":"x"},"modified":{"value":"y"}}"#;
        let parsed = value::parse(text, 64).expect("JSON");
        assert_eq!(redact(&parsed.value).1, ["password.value"]);
    }

    #[test]
    fn values_that_look_like_secrets_are_taken_out_wherever_they_stand() {
        // Put together here, so that no scanner of repositories takes them for real ones.
        for text in [
            ["gh", "p_16C7e42F292c6912E7710c838347Ae178B4a"].concat(),
            ["github", "_pat_11ABC"].concat(),
            ["login with xo", "xb-2052-abc failed"].concat(),
            ["eyJhbGciOiJIUzI1NiJ9.", "eyJzdWIiOiIxIn0.", "x"].concat(),
            ["token=eyJhbGciOiJub25lIn0.", "eyJ9."].concat(),
            ["abc8", "Q~", &"x".repeat(34)].concat(),
            ["-----BEGIN RSA ", "PRIVATE KEY-----"].concat(),
            "Server=db;User=sa;Pwd=x".to_owned(),
        ] {
            assert!(is_out("message", &text), "{text}");
        }
        for text in [
            "eyJ",
            "eyJ.a",
            "hello.world.again",
            "ghp_",
            "the graph_api was called",
            "9f0c2d2e-2f1c-4b6a-9d7f-0a1b2c3d4e5f",
        ] {
            assert!(!is_out("message", text), "{text}");
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
