/// Parts of a name that say that a secret follows.
const SECRET_PARTS: [&str; 8] =
    ["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "APIKEY", "CREDENTIALS", "AUTHTOKEN"];
/// Parts that say so before `KEY`.
const SECRET_KEYS: [&str; 8] = ["API", "ACCESS", "SECRET", "PRIVATE", "AUTH", "ENCRYPTION", "SIGNING", "ACCOUNT"];
/// Last parts that say that the value is about a secret, and none itself.
const ABOUT: [&str; 30] = [
    "FILE",
    "PATH",
    "DIR",
    "URL",
    "URI",
    "NAME",
    "ID",
    "LENGTH",
    "TTL",
    "EXPIRY",
    "EXPIRES",
    "LIFETIME",
    "TYPE",
    "HASH",
    "SHA256",
    "VERSION",
    "ALGORITHM",
    "MIN",
    "MAX",
    "TIMEOUT",
    "HEADER",
    "ENABLED",
    "REQUIRED",
    "POLICY",
    "COMMAND",
    "PROMPT",
    "FIELD",
    "LIMIT",
    "REF",
    "MODE",
];

/// Returns `true` if a name suggests that its value is a secret.
pub(super) fn names_secret(name: &str) -> bool {
    let upper = separated(name);
    let parts: Vec<&str> = upper.split(['_', '-', '.']).filter(|part| !part.is_empty()).collect();
    if parts.last().is_none_or(|last| ABOUT.contains(last)) {
        return false;
    }
    let is_key = |pair: &[&str]| matches!(pair, [kind, "KEY"] if SECRET_KEYS.contains(kind));
    parts.iter().any(|part| SECRET_PARTS.contains(part) || part.ends_with("PASSWORD")) || parts.windows(2).any(is_key)
}

/// `clientSecret` as `CLIENT_SECRET`.
fn separated(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    let mut was_lower = false;
    for letter in name.chars().take(200) {
        if was_lower && letter.is_ascii_uppercase() {
            text.push('_');
        }
        was_lower = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        text.push(letter.to_ascii_uppercase());
    }
    text
}

/// Words in values that stand in for a secret.
const STAND_INS: [&str; 22] = [
    "example",
    "changeme",
    "change_me",
    "change-me",
    "changeit",
    "placeholder",
    "dummy",
    "redacted",
    "insert",
    "your",
    "todo",
    "xxxx",
    "****",
    "....",
    "secret",
    "password",
    "passwd",
    "token",
    "apikey",
    "foobar",
    "undefined",
    "notset",
];

/// Returns `true` if a value is not a secret: a variable, a path, a number, a placeholder word.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let Ok(value) = std::str::from_utf8(value) else { return true };
    let value = value.trim_matches(|letter| matches!(letter, '"' | '\'' | ' '));
    if value.len() < 6 || value.starts_with(['$', '/', '<', '{', '%', '[', '(', '@', '~', '-', '!']) {
        return true;
    }
    // An interpolation, a call or a comparison of a program's text.
    if value.contains("${") || value.contains("$(") || value.contains("{{") || value.contains("://") {
        return true;
    }
    if value.contains(['(', ')', '<', '>', '[', ']', '|', '*']) {
        return true;
    }
    let lower = value.to_ascii_lowercase();
    let first = lower.chars().next();
    lower.chars().all(|letter| Some(letter) == first)
        || STAND_INS.iter().any(|word| lower.contains(word))
        || ["true", "false", "none", "null", "enabled", "disabled", "required", "optional"].contains(&lower.as_str())
        || lower.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        || (lower.split('.').count() > 2 && !lower.starts_with("eyj"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_told_from_names_about_them() {
        for name in ["DB_PASSWORD", "password", "clientSecret", "API_KEY", "GITHUB_TOKEN", "spring.datasource.password"]
        {
            assert!(names_secret(name), "{name}");
        }
        for name in ["TOKENIZERS_PARALLELISM", "GPG_KEY", "DB_PASSWORD_FILE", "TOKEN_TTL", "PATH", "SECRETARY", "KEY"] {
            assert!(!names_secret(name), "{name}");
        }
    }

    #[test]
    fn what_stands_in_for_a_secret_is_none() {
        for value in
            ["changeme", "${PASSWORD}", "/run/secrets/x", "your-key-here", "<token>", "true", "aaaaaaaaaa", "3.14.15"]
        {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        assert!(!is_placeholder(b"hunter2hunter2"));
    }
}
