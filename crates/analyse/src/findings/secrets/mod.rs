//! Secrets: recognised by their form or by the name before them, and never kept.

mod credentials;
mod names;
mod patterns;
mod redact;

pub use patterns::SecretKind;
pub(super) use patterns::SecretScanner;
pub use redact::redact;
pub(super) use redact::redacted;

use hashbrown::HashMap;

use super::scene::{Gathered, Hits, Scene};
use super::{Evidence, Location, Rule};
use nixdive_base::text::{counted, display_in_sentence};
use nixdive_image::OccurrenceId;
use nixdive_nix::STORE_DIRECTORY;

/// Secrets in files, as the facts tell them, and in the configuration.
pub(super) fn find(scene: &Scene<'_>, found: &mut Gathered) {
    in_files(scene, found);
    in_config(scene, found);
}

fn in_files(scene: &Scene<'_>, found: &mut Gathered) {
    let rules = [Rule::PrivateKey, Rule::Token, Rule::Password, Rule::SecretInStore];
    let mut hits: HashMap<Rule, Hits> = rules.into_iter().map(|rule| (rule, Hits::new(rule))).collect();
    let mut last: Option<(OccurrenceId, Rule, &str)> = None;
    for secret in scene.facts.iter().flat_map(|facts| &facts.secrets) {
        let id = secret.occurrence;
        let path = scene.tree.path(scene.tree.occurrence(id).node());
        if is_published(scene, id, &path) {
            continue;
        }
        let rule = match secret.kind {
            _ if path.starts_with(STORE_DIRECTORY.as_bytes()) => Rule::SecretInStore,
            SecretKind::PrivateKey => Rule::PrivateKey,
            SecretKind::Token => Rule::Token,
            SecretKind::Password => Rule::Password,
        };
        // Many of one kind in one file are one hit.
        if last.replace((id, rule, secret.pattern)) == Some((id, rule, secret.pattern)) {
            continue;
        }
        let hidden = if scene.is_visible(id) { "" } else { ", in a layer below the one that hides it" };
        let note = Some(format!("{}{hidden}", secret.pattern));
        if let Some(hits) = hits.get_mut(&rule) {
            hits.add(Evidence { location: scene.location(id, Some(secret.offset)), bytes: 0, note });
        }
    }
    for rule in rules {
        let Some(hits) = hits.remove(&rule) else { continue };
        found.finding(scene, hits, |count| match rule {
            Rule::PrivateKey => format!("{} in files", counted(count, "private key")),
            Rule::Token => format!("{} of known services in files", counted(count, "token")),
            Rule::Password => format!("{} in files that programs read them from", counted(count, "password")),
            _ => format!("{} in store paths, which everyone can read", counted(count, "secret")),
        });
    }
}

/// Returns `true` if a file is unchanged from its distribution package, so that its content is
/// already public. False for configuration files meant to be edited, and for files that replace one
/// of a lower layer.
fn is_published(scene: &Scene<'_>, id: OccurrenceId, path: &[u8]) -> bool {
    let Some(inventory) = scene.packages else { return false };
    let mut owners = inventory.ownership.owners(scene.tree.occurrence(id).node());
    let is_distributed = owners.any(|owner| inventory.packages.get(owner).kind.is_of_distribution());
    is_distributed && !path.starts_with(b"/etc/") && scene.tree.older(id).is_none()
}

fn in_config(scene: &Scene<'_>, found: &mut Gathered) {
    let scanner = SecretScanner::new();
    let config = &scene.image.config;
    let evidence = |location, name: &str, pattern: &str| {
        let note =
            if name.is_empty() { pattern.to_owned() } else { format!("{}: {pattern}", display_in_sentence(name)) };
        Evidence { location, bytes: 0, note: Some(note) }
    };
    let mut hits = Hits::new(Rule::SecretInEnvironment);
    for (place, variable) in config.env.iter().enumerate() {
        let name = variable.split_once('=').map_or("", |(name, _)| name);
        if let Some(secret) = scanner.in_variable(variable).first() {
            hits.add(evidence(Location::Environment(place), name, secret.pattern));
        }
    }
    found.finding(scene, hits, |count| format!("{} in the environment", counted(count, "secret")));
    let mut hits = Hits::new(Rule::SecretInLabel);
    for (place, (key, value)) in config.labels.iter().enumerate() {
        if let Some(secret) = scanner.in_named(key, value).first() {
            hits.add(evidence(Location::Label(place), key, secret.pattern));
        }
    }
    found.finding(scene, hits, |count| format!("{} in labels", counted(count, "secret")));
    let mut hits = Hits::new(Rule::SecretInHistory);
    for (place, entry) in config.history.iter().enumerate() {
        let texts = [&entry.created_by, &entry.comment];
        for secret in texts.into_iter().flatten().flat_map(|text| scanner.in_command(text)).take(1) {
            hits.add(evidence(Location::History(place), "", secret.pattern));
        }
    }
    found.finding(scene, hits, |count| format!("{} in the history", counted(count, "secret")));
}
