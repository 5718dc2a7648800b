//! Selects one of several images, and suggests references for them.

use hashbrown::HashMap;

use super::{Choice, Request, SourceError};
use nixdive_base::text::display_name;
use nixdive_image::Platform;
use nixdive_image::reference::{Selector, Transport};

/// An image among others.
pub(super) trait Named {
    /// Returns the names under which it is listed.
    fn names(&self) -> &[String];

    /// Returns the digest of its manifest, if it has one.
    fn digest(&self) -> Option<&str> {
        None
    }

    /// Its platform, if it is known without opening the image.
    fn platform(&self) -> Option<&Platform> {
        None
    }
}

/// Returns the positions of the images that match the selector; all of them without a selector. An exact name
/// takes precedence over names that only contain it.
///
/// # Errors
/// [`SourceError::NoSuchImage`] if none matches.
pub(super) fn selected<T: Named>(
    request: &Request<'_>,
    transport: Transport,
    images: &[T],
) -> Result<Vec<usize>, SourceError> {
    let Some(selector) = &request.reference.selector else { return Ok((0..images.len()).collect()) };
    let fitting = |fits: &dyn Fn(&T) -> bool| (0..images.len()).filter(|&index| fits(&images[index])).collect();
    let found: Vec<usize> = match selector {
        Selector::Position(position) => (0..images.len()).filter(|index| index == position).collect(),
        Selector::Name(wanted) => {
            let exact: Vec<usize> =
                fitting(&|image| image.names().contains(wanted) || image.digest() == Some(wanted.as_str()));
            if exact.is_empty() {
                fitting(&|image| image.names().iter().any(|name| names_match(name, wanted)))
            } else {
                exact
            }
        }
    };
    if found.is_empty() {
        let all: Vec<usize> = (0..images.len()).collect();
        let there = choices(request, transport, images, &all).into_iter().map(|choice| choice.reference).collect();
        return Err(SourceError::NoSuchImage { wanted: selector.to_string(), there });
    }
    Ok(found)
}

/// Returns `true` if a listed name matches the wanted one: literally, in full, or by its tag alone.
pub(super) fn names_match(listed: &str, wanted: &str) -> bool {
    let tag = listed.rsplit_once(':').map_or(listed, |(_, tag)| tag);
    listed == wanted || tag == wanted || in_full(listed) == in_full(wanted)
}

/// Completes a name with the parts that may be omitted in Docker: `web` becomes `docker.io/library/web:latest`
/// (github.com/distribution/reference, `ParseNormalizedNamed` and `TagNameOnly`).
fn in_full(name: &str) -> String {
    let (domain, path) = match name.split_once('/') {
        Some((domain, path)) if domain.contains(['.', ':']) || domain == "localhost" => (domain, path),
        _ => ("docker.io", name),
    };
    let library = if domain == "docker.io" && !path.contains('/') { "library/" } else { "" };
    let tag = if path.contains([':', '@']) { "" } else { ":latest" };
    format!("{domain}/{library}{path}{tag}")
}

/// Returns references for some of the images: a name that only one of them has, else the position among all.
pub(super) fn choices<T: Named>(
    request: &Request<'_>,
    transport: Transport,
    images: &[T],
    some: &[usize],
) -> Vec<Choice> {
    let mut holders: HashMap<&str, (usize, usize)> = HashMap::new();
    for &index in some {
        for name in images[index].names() {
            // Number of images with the name, and the last of them: an image may list a name twice.
            let (count, last) = holders.entry(name).or_insert((0, usize::MAX));
            *count += usize::from(*last != index);
            *last = index;
        }
    }
    let is_unique = |name: &str| holders.get(name).is_some_and(|&(count, _)| count == 1);
    let can_be_typed = |name: &String| !name.starts_with('@') && display_name(name.as_bytes()) == name.as_str();
    let choice = |&index: &usize| {
        let image = &images[index];
        let name = image.names().iter().find(|name| can_be_typed(name) && is_unique(name));
        let selector = name.map_or(Selector::Position(index), |name| Selector::Name(name.clone()));
        let title = match (image.names(), image.digest()) {
            ([], Some(digest)) => digest.to_owned(),
            ([], None) => format!("image {index}, untagged"),
            (names, _) => names.join(", "),
        };
        request.choice(transport, &selector, title, image.platform().cloned())
    };
    some.iter().map(choice).collect()
}
