use super::interpolate::interpolate;
use super::{Images, Manifest, ManifestError, ManifestKind, wrong};
use nixdive_base::text::display_in_sentence;
use nixdive_base::yaml::{Node, Value};

/// Maximum depth of nested merge keys.
const MOST_MERGES: usize = 32;

pub(super) fn is_project(node: &Node) -> bool {
    node.get("services").is_some_and(|services| matches!(services.value, Value::Map(_)))
}

/// Reads the services of a project.
pub(super) fn read(project: &Node, variable: &dyn Fn(&str) -> Option<String>) -> Result<Manifest, ManifestError> {
    let mut images = Images::default();
    let mut notes = Vec::new();
    let Some(services) = project.get("services") else {
        return Err(wrong(project, "no services"));
    };
    if project.get("include").is_some() {
        notes.push("`include` is not followed: services of other files are missing".to_owned());
    }
    for (name, line, service) in services.entries() {
        let shown = display_in_sentence(name);
        if !matches!(service.value, Value::Map(_)) {
            return Err(ManifestError { line: *line, reason: format!("the service `{shown}` is empty") });
        }
        if field(service, "profiles").is_some_and(|profiles| !profiles.items().is_empty()) {
            notes.push(format!("`{shown}` belongs to certain profiles only; it is included"));
        }
        if field(service, "platform").is_some() {
            notes.push(format!("the platform of `{shown}` is ignored; use --platform to choose one"));
        }
        let extends = field(service, "extends").is_some();
        let reference = match field(service, "image").and_then(|image| image.text().map(|text| (image, text))) {
            None => None,
            Some((image, text)) => {
                let filled = interpolate(text, variable).map_err(|error| wrong(image, error.to_string()))?;
                notes.extend(filled.unset.into_iter().map(|name| {
                    format!("the variable `{}` is not set; it is replaced by nothing", display_in_sentence(&name))
                }));
                Some(filled.text).filter(|text| !text.is_empty())
            }
        };
        let why_none = reference.is_none().then(|| match field(service, "build") {
            Some(build) => built_from(build),
            None if extends => "extends another service, which is not followed".to_owned(),
            None => "names no image".to_owned(),
        });
        if extends && reference.is_some() {
            notes.push(format!("`extends` of `{shown}` is not followed; its own image is used"));
        }
        let line = field(service, "image").map_or(*line, |image| image.line);
        images.add(line, name.clone(), reference, why_none);
    }
    notes.dedup();
    Ok(Manifest { kind: ManifestKind::Compose, images: images.found, notes })
}

fn built_from(build: &Node) -> String {
    match build.text().or_else(|| build.get("context").and_then(Node::text)) {
        Some(context) => format!("is built from {}", display_in_sentence(context)),
        None => "is built".to_owned(),
    }
}

/// Returns a field of a service, or of the maps of its merge key if it has none itself.
fn field<'n>(service: &'n Node, key: &str) -> Option<&'n Node> {
    let mut waiting = vec![service];
    for _ in 0..MOST_MERGES {
        let node = waiting.pop()?;
        if let Some(found) = node.get(key) {
            return Some(found);
        }
        if let Some(merged) = node.get("<<") {
            waiting.push(merged);
            // The first map in the list that has the key takes precedence.
            waiting.extend(merged.items().iter().rev());
        }
    }
    None
}
