//! nix2container's `rewrite` and `perms`: destination, mode and owner of files.

use regex::bytes::{Regex, RegexBuilder};

use super::StoreError;

/// Maximum bytes of a regular expression or a replacement.
const MAX_RULE_BYTES: usize = 4096;
/// Maximum bytes of a compiled regular expression.
const MAX_REGEX_BYTES: usize = 1 << 20;
/// Maximum number of rules per store path.
const MAX_PERMISSIONS: usize = 1000;
/// Maximum bytes of a path: `PATH_MAX` of Linux.
const MAX_PATH_BYTES: usize = 4096;
/// Suffix that Nix appends to names, before a number, on file systems that ignore case.
const CASE_HACK: &[u8] = b"~nix~case~hack~";

/// Owner of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Number of the user.
    pub uid: u32,
    /// Number of the group.
    pub gid: u32,
    /// Name of the user.
    pub user: String,
    /// Name of the group.
    pub group: String,
}

impl Default for Owner {
    fn default() -> Self {
        Self { uid: 0, gid: 0, user: "root".to_owned(), group: "root".to_owned() }
    }
}

/// Mode and owner for files whose path in the store matches a regular expression.
#[derive(Debug, Clone)]
pub struct Permission {
    matches: Regex,
    mode: Option<u32>,
    added_bits: u32,
    uid: u32,
    gid: u32,
    user: String,
    group: String,
}

impl Permission {
    /// Creates a rule. `mode` and `added_bits` are octal digits; empty values and names change nothing.
    ///
    /// # Errors
    /// [`StoreError::Rule`] if the expression or a mode is invalid.
    pub fn new(
        regex: &str,
        mode: &str,
        added_bits: &str,
        (uid, gid): (u32, u32),
        (user, group): (&str, &str),
    ) -> Result<Self, StoreError> {
        Ok(Self {
            matches: compile(regex)?,
            mode: octal(mode)?,
            added_bits: octal(added_bits)?.unwrap_or(0),
            uid,
            gid,
            user: user.to_owned(),
            group: group.to_owned(),
        })
    }
}

/// Rules for the files of one store path.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    rewrite: Option<(Regex, Vec<u8>)>,
    ignored: Option<Regex>,
    permissions: Vec<Permission>,
}

impl Rules {
    /// Replaces every match of `regex` in a file's path. An empty expression changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Rule`] if the expression or the replacement is invalid.
    pub fn rewrite(&mut self, regex: &str, replacement: &str) -> Result<(), StoreError> {
        if replacement.len() > MAX_RULE_BYTES {
            return Err(too_long("a replacement"));
        }
        if !regex.is_empty() {
            self.rewrite = Some((compile(regex)?, replacement.as_bytes().to_vec()));
        }
        Ok(())
    }

    /// Skips files whose path in the image matches `regex`. An empty expression skips nothing.
    ///
    /// # Errors
    /// [`StoreError::Rule`] if the expression is invalid.
    pub fn ignore(&mut self, regex: &str) -> Result<(), StoreError> {
        self.ignored = if regex.is_empty() { None } else { Some(compile(regex)?) };
        Ok(())
    }

    /// Adds a rule for mode and owner. The last matching rule applies.
    ///
    /// # Errors
    /// [`StoreError::Rule`] if there are too many.
    pub fn permit(&mut self, permission: Permission) -> Result<(), StoreError> {
        if self.permissions.len() >= MAX_PERMISSIONS {
            return Err(StoreError::Rule(format!("more than {MAX_PERMISSIONS} permissions of one store path")));
        }
        self.permissions.push(permission);
        Ok(())
    }

    /// Returns the destination of a file, or `None` if it is skipped.
    pub(super) fn destination(&self, source: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let rewritten = match &self.rewrite {
            Some((regex, replacement)) => regex.replace_all(source, replacement.as_slice()),
            None => source.into(),
        };
        if rewritten.is_empty() {
            return Ok(None);
        }
        if rewritten.len() > MAX_PATH_BYTES || rewritten.contains(&0) {
            let source = String::from_utf8_lossy(source).into_owned();
            return Err(StoreError::Rule(format!("the rewrite turns `{source}` into an invalid path")));
        }
        Ok(Some(clean(&rewritten)))
    }

    /// Returns `true` if a destination and everything below it is skipped.
    pub(super) fn ignores(&self, destination: &[u8]) -> bool {
        self.ignored.as_ref().is_some_and(|regex| regex.is_match(destination))
    }

    /// Returns mode and owner of the file at `source` with the given mode.
    pub(super) fn apply(&self, source: &[u8], mut mode: u32) -> (u32, Owner) {
        let mut owner = Owner::default();
        for permission in self.permissions.iter().filter(|permission| permission.matches.is_match(source)) {
            mode = permission.mode.unwrap_or(mode) | permission.added_bits;
            (owner.uid, owner.gid) = (permission.uid, permission.gid);
            if !permission.user.is_empty() {
                owner.user.clone_from(&permission.user);
            }
            if !permission.group.is_empty() {
                owner.group.clone_from(&permission.group);
            }
        }
        (mode, owner)
    }
}

fn too_long(what: &str) -> StoreError {
    StoreError::Rule(format!("{what} has more than {MAX_RULE_BYTES} bytes"))
}

fn compile(regex: &str) -> Result<Regex, StoreError> {
    if regex.len() > MAX_RULE_BYTES {
        return Err(too_long("a regular expression"));
    }
    let built = RegexBuilder::new(regex).size_limit(MAX_REGEX_BYTES).build();
    built.map_err(|_| StoreError::Rule(format!("`{regex}` is not a usable regular expression")))
}

fn octal(digits: &str) -> Result<Option<u32>, StoreError> {
    if digits.is_empty() {
        return Ok(None);
    }
    let wrong = || StoreError::Rule(format!("`{digits}` is not an octal mode"));
    let value = u32::from_str_radix(digits, 8).map_err(|_| wrong())?;
    if value > 0o777_7777 { Err(wrong()) } else { Ok(Some(value)) }
}

/// Returns the shortest equivalent path, like Go's `filepath.Clean`, without the suffixes that Nix adds on file systems
/// that ignore case.
pub(super) fn clean(path: &[u8]) -> Vec<u8> {
    let absolute = path.first() == Some(&b'/');
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if parts.last().is_some_and(|last| *last != b"..") => drop(parts.pop()),
            b".." if absolute => {}
            part => parts.push(without_case_hack(part)),
        }
    }
    let joined = parts.join(&b'/');
    match (absolute, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

fn without_case_hack(name: &[u8]) -> &[u8] {
    let Some(at) = memchr::memmem::find(name, CASE_HACK) else { return name };
    let number = name.get(at + CASE_HACK.len()..).and_then(|digits| std::str::from_utf8(digits).ok());
    match number.and_then(|digits| digits.parse::<u64>().ok()) {
        Some(1..) => name.get(..at).unwrap_or(name),
        _ => name,
    }
}
