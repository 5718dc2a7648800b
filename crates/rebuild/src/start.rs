//! First program that a container of an image starts.

use super::needs::{How, Needs};
use nixdive_base::text::display_in_sentence;
use nixdive_image::{Config, Image, NodeId, Resolution};

/// Search path without a `PATH` variable, as in runc and Docker.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Reasons why an image cannot start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// There is neither an entry point nor a command.
    #[error("the image has neither an entry point nor a command; set one with --entrypoint")]
    Nothing,
    /// The program does not exist.
    #[error("the image starts `{0}`, which is not in it; set another program with --entrypoint")]
    Missing(String),
    /// The interpreter of the program does not exist.
    #[error("the image starts `{program}`, whose interpreter `{interpreter}` is not in it")]
    Interpreter {
        /// Path of the program; safe to show.
        program: String,
        /// Path of its interpreter; safe to show.
        interpreter: String,
    },
    /// The script is not text, or its contents cannot be read.
    #[error("the image starts `{0}`, which cannot be read, so its needs are unknown")]
    Unreadable(String),
}

/// Returns the first program in the configuration, with links followed.
///
/// # Errors
/// If the configuration names no program or an absent one.
pub fn program(image: &Image) -> Result<NodeId, StartError> {
    let config = &image.config;
    let name = config.entrypoint.first().or(config.cmd.first()).ok_or(StartError::Nothing)?;
    let missing = || StartError::Missing(display_in_sentence(name));
    candidates(config, name).iter().find_map(|path| resolve(image, path)).ok_or_else(missing)
}

/// Checks that the first program can start, given the needs that were found.
///
/// # Errors
/// If its interpreter is missing or it cannot be read.
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

/// Returns the possible paths of a program, by its name.
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
