//! Tags of an index by flocken's rules (github.com/mirkolenz/flocken, "autoTags"): the branch, `latest` on the default
//! branch, and the version with its first one and two numbers, unless it is a pre-release.

/// Maximum length of a tag: OCI distribution specification, "Pulling manifests".
const MAX_TAG_LETTERS: usize = 128;
const LATEST: &str = "latest";
/// Default branch if none is given.
pub const DEFAULT_BRANCH: &str = "main";

/// Input from which tags are derived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagRules {
    /// Literal tags.
    pub tags: Vec<String>,
    /// Branch that was built.
    pub branch: Option<String>,
    /// Branch whose images are tagged `latest`; `None` selects [`DEFAULT_BRANCH`].
    pub default_branch: Option<String>,
    /// True to add `latest` on every branch.
    pub latest: bool,
    /// Version, with or without a leading `v`.
    pub version: Option<String>,
}

/// Reasons why a tag cannot be derived.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// Invalid literal tag.
    #[error("invalid tag `{0}`: expected at most 128 letters, digits, `.`, `_` or `-`, not starting with `.` or `-`")]
    NoTag(String),
    /// Branch name without any character that is allowed in a tag.
    #[error("branch `{0}`: no character of it is allowed in a tag")]
    Branch(String),
    /// Invalid version.
    #[error("invalid version `{0}`: expected 1.2.3, v1.2.3 or 1.2.3-rc.1")]
    Version(String),
}

impl TagRules {
    /// Returns the tags without duplicates, in the order of the rules.
    ///
    /// # Errors
    /// If a tag, the branch or the version is invalid.
    pub fn tags(&self) -> Result<Vec<String>, TagError> {
        let mut tags: Vec<String> = Vec::new();
        let mut add = |tag: String| {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        };
        for tag in &self.tags {
            add(checked(tag)?);
        }
        let default_branch = self.default_branch.as_deref().unwrap_or(DEFAULT_BRANCH);
        if let Some(branch) = &self.branch {
            add(tag_of_branch(branch)?);
        }
        if self.latest || self.branch.as_deref().map(short_branch) == Some(short_branch(default_branch)) {
            add(LATEST.to_owned());
        }
        if let Some(version) = &self.version {
            tags_of_version(version)?.into_iter().for_each(add);
        }
        Ok(tags)
    }
}

/// Returns the version and, unless it has a `-`, its first two numbers and its first. A `+`, which is not allowed in a
/// tag, becomes a `-`; build metadata does not make a pre-release (semver.org, 10).
fn tags_of_version(text: &str) -> Result<Vec<String>, TagError> {
    let wrong = || TagError::Version(shown(text));
    let version = text.strip_prefix('v').unwrap_or(text);
    if !version.starts_with(|letter: char| letter.is_ascii_alphanumeric()) {
        return Err(wrong());
    }
    let tag = checked(&version.replace('+', "-")).map_err(|_| wrong())?;
    let release = version.split('+').next().unwrap_or_default();
    let numbers: Vec<&str> = release.split('.').collect();
    let are_numbers = numbers.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let shorter = [2, 1].into_iter().filter_map(|count| Some(numbers.get(..count)?.join(".")));
    Ok(std::iter::once(tag).chain(shorter.filter(|_| are_numbers)).collect())
}

/// Returns a branch name as a tag: a dash replaces each run of disallowed characters, leading dots and dashes are
/// removed, and the result is cut to the maximum length.
fn tag_of_branch(branch: &str) -> Result<String, TagError> {
    let mut tag = String::new();
    for letter in short_branch(branch).chars() {
        let allowed = is_word(letter) || matches!(letter, '.' | '-');
        match allowed {
            true => tag.push(letter),
            false if tag.ends_with('-') => {}
            false => tag.push('-'),
        }
    }
    let tag: String = tag.trim_start_matches(['.', '-']).chars().take(MAX_TAG_LETTERS).collect();
    let tag = tag.trim_end_matches('-');
    if tag.is_empty() { Err(TagError::Branch(shown(branch))) } else { Ok(tag.to_owned()) }
}

/// Returns the short name of a branch that was given as a full reference.
fn short_branch(branch: &str) -> &str {
    branch.strip_prefix("refs/heads/").unwrap_or(branch)
}

fn checked(tag: &str) -> Result<String, TagError> {
    let valid = tag.len() <= MAX_TAG_LETTERS
        && tag.starts_with(is_word)
        && tag.chars().all(|letter| is_word(letter) || matches!(letter, '.' | '-'));
    if valid { Ok(tag.to_owned()) } else { Err(TagError::NoTag(shown(tag))) }
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn shown(text: &str) -> String {
    nixdive_base::text::display_in_sentence(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(branch: Option<&str>, version: Option<&str>) -> TagRules {
        TagRules { branch: branch.map(str::to_owned), version: version.map(str::to_owned), ..TagRules::default() }
    }

    #[test]
    fn tags_of_versions() {
        for (version, tags) in [
            ("v1.2.3", "1.2.3 1.2 1"),
            ("1.2.3", "1.2.3 1.2 1"),
            ("1.2", "1.2 1"),
            ("7", "7"),
            ("2024.05.1", "2024.05.1 2024.05 2024"),
            ("v1.2.3-rc.1", "1.2.3-rc.1"),
            ("1.2.3-0", "1.2.3-0"),
            ("1.2.3+abc.5", "1.2.3-abc.5 1.2 1"),
            ("1.2.3-rc.1+abc", "1.2.3-rc.1-abc"),
            ("1.2.3+a-b", "1.2.3-a-b 1.2 1"),
            ("nightly", "nightly"),
        ] {
            assert_eq!(rules(None, Some(version)).tags().unwrap().join(" "), tags, "{version}");
        }
        for version in ["", "v", "-1", "1.2.3/4", "1 2", ".1", "1.2.3ü"] {
            let error = rules(None, Some(version)).tags().unwrap_err();
            assert_eq!(error, TagError::Version(version.to_owned()), "{version}");
        }
    }

    #[test]
    fn tags_of_branches() {
        for (branch, tags) in [
            ("main", "main latest"),
            ("refs/heads/main", "main latest"),
            ("develop", "develop"),
            ("feature/New-thing", "feature-New-thing"),
            ("fix/#12: ünder", "fix-12-nder"),
            ("-odd.", "odd."),
            ("release/1.2", "release-1.2"),
        ] {
            assert_eq!(rules(Some(branch), None).tags().unwrap().join(" "), tags, "{branch}");
        }
        assert_eq!(rules(Some(&"x".repeat(200)), None).tags().unwrap(), ["x".repeat(128)]);
        assert_eq!(rules(Some("//"), None).tags(), Err(TagError::Branch("//".into())));
    }

    #[test]
    fn all_rules_together_name_each_tag_once() {
        let mut rules = rules(Some("master"), Some("v2.0.0"));
        rules.tags = vec!["stable".into(), "2".into()];
        assert_eq!(rules.tags().unwrap().join(" "), "stable 2 master 2.0.0 2.0");
        rules.default_branch = Some("master".into());
        assert_eq!(rules.tags().unwrap().join(" "), "stable 2 master latest 2.0.0 2.0");
        rules.branch = Some("next".into());
        rules.latest = true;
        assert_eq!(rules.tags().unwrap().join(" "), "stable 2 next latest 2.0.0 2.0");
        rules.tags = vec!["a/b".into()];
        assert_eq!(rules.tags(), Err(TagError::NoTag("a/b".into())));
        assert_eq!(TagRules::default().tags(), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn whatever_is_given_only_tags_come_out(branch in ".{0,200}", version in "[v0-9.+a-z/-]{0,160}") {
            for rules in [rules(Some(&branch), None), rules(None, Some(&version))] {
                for tag in rules.tags().unwrap_or_default() {
                    prop_assert_eq!(checked(&tag), Ok(tag.clone()));
                }
            }
        }
    }
}
