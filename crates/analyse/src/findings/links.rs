use super::scene::{Gathered, Hits, Scene};
use super::{Evidence, Location, Rule};
use nixdive_base::text::{counted, display_in_sentence, display_name};

/// Names that pass through symbolic links of lower layers, on whose outcome engines do not agree.
pub(super) fn find(scene: &Scene<'_>, found: &mut Gathered) {
    let mut hits = Hits::new(Rule::WritesThroughLink);
    for hidden in scene.tree.hidden_links() {
        let directory = scene.tree.occurrence(hidden.directory);
        let target = scene.tree.link_target(hidden.link).unwrap_or_default();
        let below = scene.tree.occurrence(hidden.link).layer.0;
        let note = format!("link to {} in layer {below}", display_in_sentence(&display_name(target)));
        let location = Location::Path {
            node: directory.node(),
            occurrence: Some(hidden.directory),
            layer: Some(directory.layer),
            offset: None,
        };
        hits.add(Evidence { location, bytes: 0, note: Some(note) });
    }
    found.finding(scene, hits, |count| {
        format!(
            "entries pass through {} of lower layers: Docker, Podman and containerd hide the link with a directory, \
             umoci and the vfs storage driver follow it",
            counted(count, "symbolic link")
        )
    });
}
