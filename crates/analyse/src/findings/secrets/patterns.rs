use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};

use super::credentials::{FileKind, file_kind};
use super::names::{is_placeholder, names_secret};

/// Kind of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecretKind {
    /// The private half of a pair of keys.
    PrivateKey,
    /// A token that authenticates a user to a service.
    Token,
    /// A password or its hash.
    Password,
}

/// Something that looks like a secret, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    pub kind: SecretKind,
    pub pattern: &'static str,
    pub range: Range<usize>,
}

/// Forms that are secrets wherever they stand: published formats of the services that give them out.
const FORMS: &[(SecretKind, &str, &str)] = &[
    (
        SecretKind::PrivateKey,
        "private key (PEM)",
        r"-----BEGIN (?:[A-Z]{2,12} )?PRIVATE KEY(?: BLOCK)?-----(?:\\n|\\r|\s)+(?:[A-Za-z-]{2,20}: [^\n]{0,200}\n){0,4}\s*[A-Za-z0-9+/=]{40}",
    ),
    (SecretKind::PrivateKey, "age key", r"\bAGE-SECRET-KEY-1[A-Z0-9]{58}\b"),
    (SecretKind::Token, "AWS access key", r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    (SecretKind::Token, "GitHub token", r"\bgh[pousr]_[A-Za-z0-9]{36,100}\b"),
    (SecretKind::Token, "GitHub token", r"\bgithub_pat_[A-Za-z0-9_]{60,100}\b"),
    (SecretKind::Token, "GitLab token", r"\bgl(?:pat|dt|rt|ptt)-[A-Za-z0-9_-]{20,60}"),
    (SecretKind::Token, "Slack token", r"\bxox[abposr]-[0-9]{6,}-[A-Za-z0-9-]{10,}"),
    (
        SecretKind::Token,
        "Slack web hook",
        r"\bhooks\.slack\.com/services/T[A-Z0-9]{6,12}/B[A-Z0-9]{6,12}/[A-Za-z0-9]{20,30}",
    ),
    (SecretKind::Token, "Google API key", r"\bAIza[0-9A-Za-z_-]{35}"),
    (SecretKind::Token, "Stripe key", r"\b[sr]k_live_[0-9A-Za-z]{20,120}\b"),
    (SecretKind::Token, "npm token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    (SecretKind::Token, "PyPI token", r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}"),
    (SecretKind::Token, "SendGrid key", r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    (SecretKind::Token, "AI service key", r"\bsk-(?:ant|proj|svcacct)-[A-Za-z0-9_-]{32,}"),
    (SecretKind::Token, "DigitalOcean token", r"\bdo[opr]_v1_[a-f0-9]{64}\b"),
    (SecretKind::Token, "Docker Hub token", r"\bdckr_pat_[A-Za-z0-9_-]{24,}"),
    (SecretKind::Token, "Hugging Face token", r"\bhf_[A-Za-z]{34}\b"),
];

/// A value behind a name: `NAME=value`, `name: value`, `"name": "value"`, `--name value`.
const ASSIGNMENT: &str = r#"([A-Za-z][A-Za-z0-9_.-]{1,80})["']?(?:[ \t]*[=:][ \t]*|[ \t]+)["']?([^\s"'`,;]{4,400})"#;
const STRICT_ASSIGNMENT: &str = r#"([A-Za-z][A-Za-z0-9_.-]{1,80})["']?[ \t]*[=:][ \t]*["']?([^\s"'`,;]{4,400})"#;
const URL: &str = r#"[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s/:@"']{0,80}:([^\s/:@"']{3,200})@"#;
const AUTHENTICATION: &str = r#""auth"\s*:\s*"([A-Za-z0-9+/=]{8,})""#;
const HASHED: &str = r"(?m)^[^:\s]{1,64}:(\$[0-9a-z]{1,8}\$[^:\s]{8,}|\{SHA\}[A-Za-z0-9+/=]{20,})";
const NETRC: &str = r"\bpassword\s+(\S{3,200})";
const FIFTH_FIELD: &str = r"(?m)^[^#\s:][^:\n]*:[^:\n]*:[^:\n]*:[^:\n]*:([^\n]{3,})$";

/// Finds secrets in text.
#[derive(Debug)]
pub struct SecretScanner {
    /// All forms at once.
    forms: Option<Regex>,
    form: Vec<(SecretKind, &'static str, Regex)>,
    assignment: Option<Regex>,
    strict_assignment: Option<Regex>,
    url: Option<Regex>,
    authentication: Option<Regex>,
    hashed: Option<Regex>,
    netrc: Option<Regex>,
    fifth_field: Option<Regex>,
}

fn compile(pattern: &str) -> Option<Regex> {
    // Every pattern here is a constant, and a test compiles them all.
    RegexBuilder::new(pattern).unicode(false).build().ok()
}

impl SecretScanner {
    pub fn new() -> Self {
        let all: Vec<String> = FORMS.iter().map(|(_, _, pattern)| format!("(?:{pattern})")).collect();
        let form = FORMS.iter().filter_map(|&(kind, name, pattern)| Some((kind, name, compile(pattern)?)));
        Self {
            forms: compile(&all.join("|")),
            form: form.collect(),
            assignment: compile(ASSIGNMENT),
            strict_assignment: compile(STRICT_ASSIGNMENT),
            url: compile(URL),
            authentication: compile(AUTHENTICATION),
            hashed: compile(HASHED),
            netrc: compile(NETRC),
            fifth_field: compile(FIFTH_FIELD),
        }
    }

    /// Secrets in a file, in their order.
    pub fn in_file(&self, path: &[u8], text: &[u8]) -> Vec<Secret> {
        let mut found = self.forms_in(text);
        let of = |regex: &Option<Regex>, pattern| values(regex.as_ref(), text, pattern);
        match file_kind(path) {
            // A hash begins with a dollar, as a variable does; nothing stands in for one.
            Some(FileKind::Hashes) => {
                let hashes = self.hashed.iter().flat_map(|regex| regex.captures_iter(text));
                let hashes = hashes.filter_map(|captures| captures.get(1)).map(|hash| hash.range());
                let secret = |range| Secret { kind: SecretKind::Password, pattern: "hash of a password", range };
                found.extend(hashes.map(secret));
            }
            Some(FileKind::DockerConfig) => found.extend(of(&self.authentication, "registry login")),
            Some(FileKind::Netrc) => found.extend(of(&self.netrc, "password")),
            Some(FileKind::PgPass) => found.extend(of(&self.fifth_field, "password")),
            Some(FileKind::Settings) => {
                found.extend(of(&self.url, "password in a URL"));
                found.extend(self.assigned(self.strict_assignment.as_ref(), text));
            }
            None => {}
        }
        in_order(found)
    }

    /// Secrets in a variable `NAME=value`.
    pub fn in_variable(&self, variable: &str) -> Vec<Secret> {
        let Some((name, value)) = variable.split_once('=') else { return Vec::new() };
        let mut found = self.in_named(name, value);
        for secret in &mut found {
            secret.range = secret.range.start + name.len() + 1..secret.range.end + name.len() + 1;
        }
        found
    }

    /// Secrets in a value whose name is known.
    pub fn in_named(&self, name: &str, value: &str) -> Vec<Secret> {
        let mut found = self.forms_in(value.as_bytes());
        found.extend(values(self.url.as_ref(), value.as_bytes(), "password in a URL"));
        if found.is_empty() && names_secret(name) && !is_placeholder(value.as_bytes()) && !value.contains(' ') {
            found.push(Secret { kind: SecretKind::Password, pattern: "named as a secret", range: 0..value.len() });
        }
        in_order(found)
    }

    /// Secrets in a command of the history.
    pub fn in_command(&self, command: &str) -> Vec<Secret> {
        let mut found = self.forms_in(command.as_bytes());
        found.extend(values(self.url.as_ref(), command.as_bytes(), "password in a URL"));
        // `ENV NAME value` is written without a sign between them.
        let instruction = command.strip_prefix("/bin/sh -c #(nop)").unwrap_or(command).trim_start();
        let spaced = instruction.starts_with("ENV ") || instruction.starts_with("ARG ");
        let assignment = if spaced { &self.assignment } else { &self.strict_assignment };
        found.extend(self.assigned(assignment.as_ref(), command.as_bytes()));
        in_order(found)
    }

    fn forms_in(&self, text: &[u8]) -> Vec<Secret> {
        let mut found = Vec::new();
        for hit in self.forms.iter().flat_map(|forms| forms.find_iter(text)) {
            let known = self.form.iter().find(|(_, _, form)| form.find(hit.as_bytes()).is_some_and(|m| m.start() == 0));
            let Some(&(kind, pattern, _)) = known else { continue };
            if kind == SecretKind::PrivateKey || !is_sample(hit.as_bytes()) {
                found.push(Secret { kind, pattern, range: hit.range() });
            }
        }
        found
    }

    fn assigned(&self, regex: Option<&Regex>, text: &[u8]) -> Vec<Secret> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(captures) = regex.and_then(|regex| regex.captures_at(text, at)) {
            let (Some(name), Some(value)) = (captures.get(1), captures.get(2)) else { break };
            let named = std::str::from_utf8(name.as_bytes()).is_ok_and(names_secret);
            if named && !is_placeholder(value.as_bytes()) {
                found.push(Secret { kind: SecretKind::Password, pattern: "named as a secret", range: value.range() });
            }
            // The value may itself be a name, as after `ENV`.
            at = if named { value.end() } else { value.start().max(name.end()) };
        }
        found
    }
}

fn values(regex: Option<&Regex>, text: &[u8], pattern: &'static str) -> Vec<Secret> {
    let captures = regex.into_iter().flat_map(|regex| regex.captures_iter(text));
    let values = captures.filter_map(|captures| captures.get(1));
    let secret = |range| Secret { kind: SecretKind::Password, pattern, range };
    values.filter(|value| !is_placeholder(value.as_bytes())).map(|value| secret(value.range())).collect()
}

/// Returns `true` if a token is one of the samples shown in manuals.
fn is_sample(token: &[u8]) -> bool {
    let upper = token.to_ascii_uppercase();
    let body = upper.get(4..).unwrap_or_default();
    memchr::memmem::find(&upper, b"EXAMPLE").is_some()
        || memchr::memmem::find(&upper, b"XXXXX").is_some()
        || memchr::memmem::find(&upper, b"123456789").is_some()
        || body.windows(8).any(|run| run.iter().all(|byte| Some(byte) == run.first()))
}

fn in_order(mut found: Vec<Secret>) -> Vec<Secret> {
    found.sort_by_key(|secret| (secret.range.start, std::cmp::Reverse(secret.range.end)));
    let mut end = 0;
    found.retain(|secret| {
        let is_new = secret.range.start >= end;
        end = end.max(secret.range.end);
        is_new
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_valid() {
        let scanner = SecretScanner::new();
        assert_eq!(scanner.form.len(), FORMS.len());
        assert!(scanner.forms.is_some() && scanner.assignment.is_some() && scanner.strict_assignment.is_some());
        assert!(scanner.url.is_some() && scanner.authentication.is_some() && scanner.hashed.is_some());
        assert!(scanner.netrc.is_some() && scanner.fifth_field.is_some());
    }
}
