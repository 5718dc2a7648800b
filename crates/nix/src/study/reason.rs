use std::borrow::Cow;

use crate::contents::{Place, RootSource};
use nixdive_base::text::display_name;
use nixdive_image::Image;

/// Characters of a text of the image that a reason quotes.
const MOST_QUOTED: usize = 2000;

impl RootSource {
    /// The text of the configuration, or the link's target, that it is; `None` where bytes of a file are. As the image
    /// has it.
    #[must_use]
    pub fn text(self, image: &Image) -> Option<String> {
        let config = &image.config;
        match self {
            Self::Entrypoint(index) => config.entrypoint.get(index).cloned(),
            Self::Command(index) => config.cmd.get(index).cloned(),
            Self::Environment(index) => config.env.get(index).cloned(),
            Self::WorkingDirectory => Some(config.working_directory.clone()),
            Self::Volume(index) => config.volumes.get(index).cloned(),
            Self::Label(index) => config.labels.get(index).map(|(name, value)| format!("{name}={value}")),
            Self::Healthcheck(index) => config.healthcheck.as_ref()?.test.get(index).cloned(),
            Self::Shell(index) => config.shell.get(index).cloned(),
            Self::Given => None,
            Self::Tree(node, Place::LinkTarget) => {
                let occurrence = image.tree.visible_at(node, image.tree.top_layer()?)?;
                Some(String::from_utf8_lossy(image.tree.link_target(occurrence)?).into_owned())
            }
            Self::Tree(..) => None,
        }
    }

    /// Returns a short label: `config Entrypoint`, `/bin/ls`. Safe to print.
    #[must_use]
    pub fn label(self, image: &Image) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Given => "root",
            Self::Entrypoint(_) => "config Entrypoint",
            Self::Command(_) => "config Cmd",
            Self::Environment(_) => "config Env",
            Self::WorkingDirectory => "config WorkingDir",
            Self::Volume(_) => "config Volumes",
            Self::Label(_) => "config Labels",
            Self::Healthcheck(_) => "config Healthcheck",
            Self::Shell(_) => "config Shell",
            Self::Tree(node, _) => return Cow::Owned(display_name(&image.tree.path(node)).into_owned()),
        })
    }

    /// Describes the reason on one line, safe to print: `config Entrypoint: …`, `/bin/ls → …`.
    #[must_use]
    pub fn describe(self, image: &Image) -> String {
        let label = self.label(image);
        let text = self.text(image).map(|text| one_line(&text)).unwrap_or_default();
        match self {
            Self::Given => "root: the store path that was opened".to_owned(),
            Self::Tree(_, Place::LinkTarget) => format!("{label} → {text}"),
            Self::Tree(_, Place::Content(offset)) => format!("{label} (its content, at byte {offset})"),
            Self::Tree(..) => format!("{label} (its name)"),
            _ => format!("{label}: {text}"),
        }
    }
}

fn one_line(text: &str) -> String {
    let short: String = text.chars().take(MOST_QUOTED).collect();
    let words: Vec<&str> = short.split_ascii_whitespace().collect();
    display_name(words.join(" ").as_bytes()).into_owned()
}
