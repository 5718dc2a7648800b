use crate::image::{Config, HistoryEntry};

/// How many of an image's lowest layers come from the image that it was built from; `None` where its history does not
/// tell.
///
/// Builders leave the history of the base image in place, and an image usually ends by saying what it runs: what
/// comes before the last `CMD` that another layer follows was there before. dockerTools names the layers of
/// `fromImage` as archives instead of store paths.
#[must_use]
pub fn base_layers(config: &Config) -> Option<u16> {
    let mut layers = 0u16;
    let mut at_command = None;
    let mut base = None;
    let mut archives = 0u16;
    for step in &config.history {
        if !step.empty_layer {
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
    base.or(Some(archives)).filter(above)
}

fn is_command(step: &HistoryEntry) -> bool {
    let text = step.created_by.as_deref().unwrap_or_default();
    let text = text.strip_prefix("/bin/sh -c ").unwrap_or(text).trim_start();
    let text = text.strip_prefix("#(nop)").unwrap_or(text).trim_start();
    text.starts_with("CMD ")
}

fn is_archive(step: &HistoryEntry) -> bool {
    let comment = step.comment.as_deref().unwrap_or_default();
    comment.starts_with("store paths: ['") && comment.ends_with("/layer.tar']")
}
