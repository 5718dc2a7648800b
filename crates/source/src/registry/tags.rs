use serde::Deserialize;

use super::repository::{Call, Target};
use super::{MAX_MANIFEST_BYTES, RegistryError, Repository};
use crate::http::{Address, Body, Method, Response};

/// Maximum number of pages of a list, and of tags.
const MAX_PAGES: usize = 1000;
const MAX_TAGS: usize = 1_000_000;
/// Number of similar tags in the error for a missing tag.
const NAMED: usize = 5;

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Repository {
    /// Returns the tags of the repository, in the order of the registry.
    ///
    /// # Errors
    /// [`RegistryError`] if the list cannot be fetched.
    pub fn tags(&self) -> Result<Vec<String>, RegistryError> {
        self.tags_of(MAX_PAGES)
    }

    fn tags_of(&self, pages: usize) -> Result<Vec<String>, RegistryError> {
        let mut tags = Vec::new();
        let mut next: Option<Address> = None;
        for _ in 0..pages {
            let what = format!("the tags of {}", self.name().repository());
            let target = next.take().map_or(Target::Path("tags/list?n=1000"), Target::Address);
            let call =
                Call { method: Method::Get, target, headers: Vec::new(), body: &|| Body::None, actions: "pull", what };
            let response = self.read(&call).map_err(|error| match error {
                RegistryError::NotFound { host, .. } => {
                    RegistryError::NotFound { host, what: format!("a repository {}", self.name().repository()) }
                }
                other => other,
            })?;
            let host = response.address.host().to_owned();
            let following = next_page(&response);
            let content =
                |reason: String| RegistryError::Content { host: host.clone(), what: call.what.clone(), reason };
            let bytes = response.bytes(MAX_MANIFEST_BYTES).map_err(|error| content(error.to_string()))?;
            let bytes = bytes.ok_or_else(|| content(format!("one page has more than {MAX_MANIFEST_BYTES} bytes")))?;
            let list: List = serde_json::from_slice(&bytes).map_err(|error| content(error.to_string()))?;
            tags.extend(list.tags.unwrap_or_default());
            if following.is_none() || tags.len() > MAX_TAGS {
                break;
            }
            next = following;
        }
        tags.truncate(MAX_TAGS);
        Ok(tags)
    }

    /// Returns the existing tags most similar to a missing one.
    pub(super) fn nearest_tags(&self, wanted: &str) -> Result<Vec<String>, RegistryError> {
        let mut tags = self.tags_of(4)?;
        tags.sort_by_cached_key(|tag| (distance(tag, wanted), tag.clone()));
        tags.truncate(NAMED);
        Ok(tags)
    }
}

/// Returns the address of the next page on the same server: `Link: <…>; rel="next"`.
fn next_page(response: &Response) -> Option<Address> {
    let link = response.headers("link").find(|link| link.contains("rel=\"next\"") || link.contains("rel=next"))?;
    let (_, rest) = link.split_once('<')?;
    let next = response.address.join_protected(rest.split_once('>')?.0)?;
    next.is_same_server(&response.address).then_some(next)
}

/// Returns the edit distance of two tags, which have at most 128 characters each.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(128).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (number, letter) in left.chars().take(128).enumerate() {
        let mut diagonal = number;
        let mut before = number + 1;
        let mut next = vec![before];
        for (column, other) in right.iter().enumerate() {
            let above = row.get(column + 1).copied().unwrap_or_default();
            let changed = diagonal + usize::from(*other != letter);
            before = changed.min(above + 1).min(before + 1);
            diagonal = above;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn near_tags_differ_in_few_letters() {
        for (left, right, expected) in [("1.0", "1.0", 0), ("1.0", "1.1", 1), ("", "abc", 3), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }
}
