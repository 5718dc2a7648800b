use super::scene::{Gathered, Hits, Scene};
use super::{Evidence, Location, Rule};
use nixdive_base::text::display_bytes;
use nixdive_image::LayerIndex;

/// Unpacked bytes from which on a layer is large.
const LARGE: u64 = 256_000_000;

/// Layers as such.
pub(super) fn find(scene: &Scene<'_>, found: &mut Gathered) {
    let mut hits = Hits::new(Rule::OversizedLayer);
    for (layer, number) in scene.image.layers.iter().zip(0u16..) {
        if layer.unpacked_bytes >= LARGE {
            let note = Some(format!("{} unpacked", display_bytes(layer.unpacked_bytes)));
            hits.add(Evidence { location: Location::Layer(LayerIndex(number)), bytes: 0, note });
        }
    }
    found.finding(scene, hits, |count| {
        let (layers, them) = if count == 1 { ("layer is", "it") } else { ("layers are", "them") };
        format!("{count} {layers} larger than {}: any change in {them} is fetched as a whole", display_bytes(LARGE))
    });
    if scene.is_nix
        && scene.image.config.created.as_deref().is_some_and(|created| created.starts_with("1970-01-01T00:00:0"))
    {
        let mut hits = Hits::new(Rule::Created1970);
        hits.add(Evidence { location: Location::Field("created"), bytes: 0, note: None });
        found.finding(scene, hits, |_| "created in 1970, as reproducible images usually are".to_owned());
    }
}
