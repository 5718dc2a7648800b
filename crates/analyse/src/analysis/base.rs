use nixdive_image::{Config, HistoryEntry};

/// How many of an image's lowest layers come from the image that it was built from; `None` where its history does not
/// tell.
///
/// Builders leave the history of the base image in place. buildah comments the first step on top of it with `FROM`
/// and its name. An image usually ends by saying what it runs: what comes before the last `CMD` that another layer
/// follows was there before. A first layer that is a whole root file system is an image of its own. dockerTools names
/// the layers of `fromImage` as archives instead of store paths.
#[must_use]
pub fn base_layers(config: &Config) -> Option<u16> {
    let mut layers = 0u16;
    let mut at_command = None;
    let (mut named, mut base, mut root, mut archives) = (None, None, None, 0u16);
    for step in &config.history {
        if names_base(step) && layers > 0 {
            named = Some(layers);
        }
        if !step.empty_layer {
            if layers == 0 && instruction(step).starts_with("ADD ") && instruction(step).ends_with(" /") {
                root = Some(1);
            }
            base = at_command.take().or(base);
            if is_archive(step) && archives == layers {
                archives += 1;
            }
            layers = layers.saturating_add(1);
        } else if is_command(step) && layers > 0 {
            at_command = Some(layers);
        }
    }
    let above = |count: &u16| (1..layers).contains(count);
    named.or(base).or(Some(archives).filter(above)).or(root).filter(above)
}

/// A step without the shell that builders put around it.
fn instruction(step: &HistoryEntry) -> &str {
    let text = step.created_by.as_deref().unwrap_or_default();
    let text = text.strip_prefix("/bin/sh -c ").unwrap_or(text).trim_start();
    text.strip_prefix("#(nop)").unwrap_or(text).trim()
}

fn is_command(step: &HistoryEntry) -> bool {
    instruction(step).starts_with("CMD ")
}

/// `FROM` with a name; buildah comments the later steps with the number of the image before, which is none.
fn names_base(step: &HistoryEntry) -> bool {
    const NUMBER_LENGTH: usize = 12;
    let name = step.comment.as_deref().and_then(|comment| comment.strip_prefix("FROM "));
    let is_number = |name: &str| name.len() == NUMBER_LENGTH && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.is_some_and(|name| !is_number(name))
}

fn is_archive(step: &HistoryEntry) -> bool {
    let comment = step.comment.as_deref().unwrap_or_default();
    comment.starts_with("store paths: ['") && comment.ends_with("/layer.tar']")
}
