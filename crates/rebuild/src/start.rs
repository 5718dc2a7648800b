//! The program that a container of an image begins with.

use super::needs::{How, Needs};
use nixdive_base::text::display_in_sentence;
use nixdive_image::{Config, Image, NodeId, Resolution};

/// Where programs are looked for without a `PATH`: as runc and Docker do.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why an image starts nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// Neither entry point nor command.
    #[error("the image has neither an entry point nor a command: say with --entrypoint what it is to start")]
    Nothing,
    /// A program that is not there.
    #[error("the image starts «{0}», which is not in it: say with --entrypoint what it is to start")]
    Missing(String),
    /// A program that cannot start: its interpreter is not there.
    #[error("the image starts «{program}», which asks for «{interpreter}», which is not in it")]
    Interpreter {
        /// The program, safe to show.
        program: String,
        /// What it asks for, safe to show.
        interpreter: String,
    },
    /// A script that is no text, or content that cannot be read.
    #[error("the image starts «{0}», which cannot be read: what it needs cannot be told")]
    Unreadable(String),
}

/// The program that the configuration names first, links followed.
///
/// # Errors
/// [`StartError`].
pub fn program(image: &Image) -> Result<NodeId, StartError> {
    let config = &image.config;
    let name = config.entrypoint.first().or(config.cmd.first()).ok_or(StartError::Nothing)?;
    let missing = || StartError::Missing(display_in_sentence(name));
    candidates(config, name).iter().find_map(|path| resolve(image, path)).ok_or_else(missing)
}

/// That the program that an image begins with can start, by what it was found to need.
///
/// # Errors
/// [`StartError`].
pub fn can_start(image: &Image, program: NodeId, needs: &Needs) -> Result<(), StartError> {
    let shown = || display_in_sentence(&String::from_utf8_lossy(&image.tree.path(program)));
    let interpreter = |missing: &&super::needs::Missing| {
        missing.from == Some(program) && matches!(missing.how, How::Shebang | How::Interpreter)
    };
    if let Some(missing) = needs.missing.iter().find(interpreter) {
        return Err(StartError::Interpreter { program: shown(), interpreter: missing.name.clone() });
    }
    if needs.unreadable.contains(&program) { Err(StartError::Unreadable(shown())) } else { Ok(()) }
}

/// The paths at which a program may be, by its name.
fn candidates(config: &Config, name: &str) -> Vec<String> {
    if name.starts_with('/') {
        return vec![name.to_owned()];
    }
    if name.contains('/') {
        return vec![format!("{}/{name}", config.working_directory)];
    }
    let path = config.env.iter().rev().find_map(|variable| variable.strip_prefix("PATH="));
    let directories = path.unwrap_or(DEFAULT_PATH).split(':');
    directories.map(|directory| format!("{directory}/{name}")).collect()
}

fn resolve(image: &Image, path: &str) -> Option<NodeId> {
    let tree = &image.tree;
    let top = tree.top_layer()?;
    match tree.resolve(path.as_bytes(), top, true) {
        Resolution::Found { node, .. } => tree.visible_at(node, top).and_then(|id| tree.content_of(id)).map(|_| node),
        Resolution::Missing { .. } | Resolution::TooManyLinks => None,
    }
}
