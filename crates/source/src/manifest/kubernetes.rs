use super::{Images, Manifest, ManifestError, ManifestKind, wrong};
use nixdive_base::text::display_in_sentence;
use nixdive_base::yaml::{Node, Value};

/// Path of the pod specification in each kind of object.
const POD_SPECIFICATIONS: &[(&str, &[&str])] = &[
    ("Pod", &["spec"]),
    ("PodTemplate", &["template", "spec"]),
    ("Deployment", &["spec", "template", "spec"]),
    ("ReplicaSet", &["spec", "template", "spec"]),
    ("ReplicationController", &["spec", "template", "spec"]),
    ("StatefulSet", &["spec", "template", "spec"]),
    ("DaemonSet", &["spec", "template", "spec"]),
    ("Job", &["spec", "template", "spec"]),
    ("CronJob", &["spec", "jobTemplate", "spec", "template", "spec"]),
];
const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

pub(super) fn is_object(node: &Node) -> bool {
    kind(node).is_some() && node.get("apiVersion").and_then(Node::text).is_some()
}

fn kind(node: &Node) -> Option<&str> {
    node.get("kind").and_then(Node::text)
}

/// Reads the containers of all objects that have containers.
pub(super) fn read(documents: &[Node]) -> Result<Manifest, ManifestError> {
    let mut images = Images::default();
    let mut notes = Vec::new();
    let mut waiting: Vec<&Node> = documents.iter().rev().collect();
    while let Some(object) = waiting.pop() {
        let Some(kind) = kind(object) else { continue };
        if let Some((_, path)) = POD_SPECIFICATIONS.iter().find(|(known, _)| *known == kind) {
            let specification = path.iter().try_fold(object, |node, key| node.get(key));
            if let Some(specification) = specification {
                containers(object, kind, specification, &mut images)?;
            }
        } else if kind.ends_with("List") {
            waiting.extend(object.get("items").map(Node::items).unwrap_or_default().iter().rev());
        } else if has_containers(object) {
            let kind = display_in_sentence(kind);
            notes.push(format!("objects of the unknown kind `{kind}` are ignored; their containers are missing"));
        }
    }
    notes.dedup();
    Ok(Manifest { kind: ManifestKind::Kubernetes, images: images.found, notes })
}

fn containers(object: &Node, kind: &str, specification: &Node, images: &mut Images) -> Result<(), ManifestError> {
    let metadata = |key| object.get("metadata").and_then(|metadata| metadata.get(key)).and_then(Node::text);
    let name = metadata("name").or_else(|| metadata("generateName")).unwrap_or("-");
    for container in CONTAINERS.iter().filter_map(|key| specification.get(key)).flat_map(Node::items) {
        if !matches!(container.value, Value::Map(_)) {
            return Err(wrong(container, "a container must be a map with a name and an image"));
        }
        let text = |key| container.get(key).and_then(Node::text);
        let user = format!("{kind}/{name}/{}", text("name").unwrap_or("-"));
        let reference = text("image").map(str::to_owned);
        let why_none = reference.is_none().then(|| "names no image".to_owned());
        let line = container.get("image").unwrap_or(container).line;
        images.add(line, user, reference, why_none);
    }
    Ok(())
}

/// Returns `true` if an object of an unknown kind has containers where other kinds have them.
fn has_containers(object: &Node) -> bool {
    let within = |path: &[&str]| path.iter().try_fold(object, |node, key| node.get(key));
    let specifications = POD_SPECIFICATIONS.iter().filter_map(|(_, path)| within(path));
    specifications.into_iter().any(|specification| specification.get("containers").is_some())
}
