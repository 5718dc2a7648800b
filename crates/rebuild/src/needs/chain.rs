use super::{How, ImplicitNeed, Needs};
use nixdive_base::text::display_name;
use nixdive_image::{Config, Image, NodeId};

/// Maximum number of steps of a chain.
const MOST_STEPS: usize = 1000;

impl Needs {
    /// Returns `true` if a path is needed.
    #[must_use]
    pub fn is_needed(&self, node: NodeId) -> bool {
        self.reasons.get(node.index()).is_some_and(Option::is_some)
    }

    /// Returns the chain that leads to a needed path, from one without a predecessor to the path itself, each with the
    /// way in which its predecessor needs it. Empty for a path that is not needed.
    #[must_use]
    pub fn chain(&self, node: NodeId) -> Vec<(NodeId, How)> {
        let mut chain = Vec::new();
        let mut at = Some(node);
        while let Some(node) = at
            && let Some(reason) = self.reasons.get(node.index()).copied().flatten()
            && chain.len() < MOST_STEPS
        {
            chain.push((node, reason.how));
            at = reason.from;
        }
        chain.reverse();
        chain
    }

    /// Returns the chain to a path on one line that is safe to show: `Entrypoint → /usr/sbin/nginx → libssl.so.3
    /// (NEEDED)`. Only the path itself if it is not needed.
    #[must_use]
    pub fn describe(&self, image: &Image, node: NodeId) -> String {
        let tree = &image.tree;
        let chain = self.chain(node);
        if chain.is_empty() {
            return display_name(&tree.path(node)).into_owned();
        }
        let mut text = String::new();
        for (step, (node, how)) in chain.iter().enumerate() {
            let path = tree.path(*node);
            let is_first = step == 0;
            if is_first {
                text.push_str(&how.origin(&image.config));
            }
            text.push_str(" → ");
            let short = matches!(how, How::Library | How::LibraryVariant | How::Plugin);
            let name: &[u8] = if short { tree.name(*node) } else { &path };
            text.push_str(&display_name(name));
            if !is_first {
                text.push_str(" (");
                text.push_str(how.label());
                text.push(')');
            }
        }
        text
    }
}

impl How {
    /// Returns a short label: `NEEDED`, `first line`, …
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Entrypoint(_) => "Entrypoint",
            Self::Command(_) => "Cmd",
            Self::Healthcheck(_) => "Healthcheck",
            Self::Environment(_) => "Env",
            Self::WorkingDirectory => "WorkingDir",
            Self::Volume(_) => "Volumes",
            Self::Interpreter => "interpreter",
            Self::Library => "NEEDED",
            Self::LibraryVariant => "variant for newer processors",
            Self::Plugin => "loaded while it runs",
            Self::Shebang => "first line",
            Self::ScriptCommand => "called",
            Self::NamedPath => "named",
            Self::Runtime => "runtime",
            Self::LinkTarget => "link target",
            Self::LinkOnTheWay => "link on the way",
            Self::Implicit(need) => need.label(),
            Self::PackageConfiguration => "configuration of its package",
            Self::Unowned => "no package owns it",
            Self::ExpectedDirectory => "directory",
            Self::Asked => "kept by choice",
        }
    }

    /// Returns the origin of a chain.
    fn origin(self, config: &Config) -> String {
        let variable = |number: u32| {
            let entry = config.env.get(number as usize).and_then(|entry| entry.split('=').next());
            display_name(entry.unwrap_or_default().as_bytes()).into_owned()
        };
        match self {
            Self::Environment(number) => format!("Env {}", variable(number)),
            Self::LinkOnTheWay => "configuration".to_owned(),
            other => other.label().to_owned(),
        }
    }
}

impl ImplicitNeed {
    /// Returns a short label for the files that are opened.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::NameServices => "name services",
            Self::Accounts => "accounts",
            Self::SystemName => "name of the system",
            Self::Certificates => "certificate authorities",
            Self::TimeZones => "time zone",
            Self::CharacterSets => "character sets",
            Self::Locales => "locale",
            Self::MediaTypes => "media types",
            Self::Terminals => "terminal descriptions",
            Self::DynamicLinker => "dynamic linker",
        }
    }
}
