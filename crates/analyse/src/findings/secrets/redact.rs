use super::patterns::{Secret, SecretScanner};
use nixdive_image::Image;

/// Text shown in place of a secret.
const REMOVED: &str = "(redacted)";

/// Takes the secrets out of an image's environment, labels and history, by the same rules that find them, so that a
/// report of the image does not print them.
pub fn redact(image: &mut Image) {
    let scanner = SecretScanner::new();
    let config = &mut image.config;
    for variable in &mut config.env {
        replace(variable, scanner.in_variable(variable));
    }
    for (key, value) in &mut config.labels {
        replace(value, scanner.in_named(key, value));
    }
    let entries = config.history.iter_mut().flat_map(|entry| [&mut entry.created_by, &mut entry.comment]);
    let layers = image.layers.iter_mut().flat_map(|layer| [&mut layer.created_by, &mut layer.comment]);
    for text in entries.chain(layers).flatten() {
        replace(text, scanner.in_command(text));
    }
    let test = config.healthcheck.iter_mut().flat_map(|check| &mut check.test);
    test.for_each(|text| replace(text, scanner.in_command(text)));
    let commands = [&mut config.entrypoint, &mut config.cmd, &mut config.on_build, &mut config.shell];
    for text in commands.into_iter().flatten() {
        replace(text, scanner.in_command(text));
    }
}

/// A word or command of an image without the secrets in it.
pub(in crate::findings) fn redacted(command: &str) -> String {
    let mut text = command.to_owned();
    let found = SecretScanner::new().in_command(&text);
    replace(&mut text, found);
    text
}

fn replace(text: &mut String, found: Vec<Secret>) {
    for secret in found.into_iter().rev() {
        if text.get(secret.range.clone()).is_some() {
            text.replace_range(secret.range, REMOVED);
        }
    }
}
