//! Images that engines of this machine have, for the first page.

use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};

use nixdive_base::text::{display_bytes, display_name};
use nixdive_image::reference::Engine;
use nixdive_source::engines::{ContainerdImage, ContentStore, EngineClient, EngineEnvironment, LocalImage, name};
use nixdive_source::http::HttpOptions;
use nixdive_tui::Choice;

/// Maximum time that the first page waits for engines. Slower ones are left out.
const PATIENCE: Duration = Duration::from_millis(60);
/// Images of one engine that are offered.
const MOST: usize = 200;

/// Asks all engines at once, on threads of their own.
pub struct LocalImages(Receiver<(usize, Vec<Choice>)>);

impl LocalImages {
    /// Begins to ask.
    pub fn ask() -> Self {
        let engines = [Engine::Docker, Engine::Podman, Engine::Containerd];
        let (sender, receiver) = bounded(engines.len());
        for (place, engine) in engines.into_iter().enumerate() {
            let sender = sender.clone();
            // Without a thread, without its images.
            let _ = std::thread::Builder::new().name("engine".into()).spawn(move || {
                // Whoever asked may have begun without them.
                let _ = sender.send((place, images_of(engine)));
            });
        }
        Self(receiver)
    }

    /// Images found so far, in a fixed order.
    pub fn choices(self) -> Vec<Choice> {
        let begun = std::time::Instant::now();
        let mut choices = Vec::new();
        while let Ok(more) = self.0.recv_timeout(PATIENCE.saturating_sub(begun.elapsed())) {
            choices.push(more);
        }
        choices.sort_by_key(|(place, _)| *place);
        choices.into_iter().flat_map(|(_, choices)| choices).collect()
    }
}

fn images_of(engine: Engine) -> Vec<Choice> {
    let environment = EngineEnvironment::of_process();
    if engine == Engine::Containerd {
        return stored_images(&environment);
    }
    let Ok(client) = EngineClient::find(engine, &environment, &HttpOptions::default()) else { return Vec::new() };
    let images = client.images().unwrap_or_default();
    images.iter().flat_map(|image| choices_of(engine, image)).take(MOST).collect()
}

/// Images of containerd, by their usual names.
fn stored_images(environment: &EngineEnvironment) -> Vec<Choice> {
    let stores = ContentStore::find(environment).unwrap_or_default();
    let images = stores.iter().flat_map(|store| store.images().unwrap_or_default());
    // Kubernetes has each image by its ID and digest too.
    let named = images.filter(|image| !image.name.contains('@') && image.name.contains('/'));
    let choice = |image: ContainerdImage| Choice {
        reference: format!("{}:{}", Engine::Containerd.transport().name(), image.name),
        title: display_name(image.name.as_bytes()).into_owned(),
        detail: format!("image of containerd, namespace {}", display_name(image.namespace.as_bytes())),
    };
    named.map(choice).take(MOST).collect()
}

fn choices_of(engine: Engine, image: &LocalImage) -> Vec<Choice> {
    let transport = engine.transport().name();
    let detail = format!("image of {}, {} unpacked", name(engine), display_bytes(image.unpacked_bytes));
    let choice = |typed: &str| Choice {
        reference: format!("{transport}:{typed}"),
        title: display_name(typed.as_bytes()).into_owned(),
        detail: detail.clone(),
    };
    let id = image.id.strip_prefix("sha256:").unwrap_or(&image.id);
    match image.names.as_slice() {
        [] => id.get(..12).map(choice).into_iter().collect(),
        names => names.iter().map(|name| choice(name)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_offered_by_each_of_its_names() {
        let mut image = LocalImage {
            id: format!("sha256:{}", "0123456789ab".repeat(5)),
            names: vec!["web:1".into(), "web:latest".into()],
            unpacked_bytes: 1000,
            created: 0,
        };
        let typed = |image: &LocalImage| -> Vec<String> {
            choices_of(Engine::Podman, image).into_iter().map(|choice| choice.reference).collect()
        };
        assert_eq!(typed(&image), ["podman:web:1", "podman:web:latest"]);
        image.names.clear();
        assert_eq!(typed(&image), ["podman:0123456789ab"]);
    }
}
