//! A snapshot as a file: `nixdive.baseline/1`.

use std::io;

use serde::Deserialize;

use super::snapshot::Snapshot;

/// Name and version of the form.
pub const BASELINE_SCHEMA: &str = "nixdive.baseline/1";
/// Longest baseline that is read, bytes.
pub const MAX_BASELINE_BYTES: u64 = 64 << 20;
/// Largest files that are stored.
const FILES: usize = 1000;
/// Largest directories that are stored.
const DIRECTORIES: usize = 300;

#[derive(Deserialize)]
struct Head {
    schema: Option<String>,
}

/// Reads a stored baseline.
///
/// # Errors
/// A sentence that says what is wrong and what to do.
pub fn from_json(bytes: &[u8]) -> Result<Snapshot, String> {
    let renew = "recreate it with --update-baseline";
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(format!("it is empty; {renew}"));
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|error| format!("not a baseline: {error}; {renew}"))?;
    match head.schema.as_deref() {
        Some(BASELINE_SCHEMA) => {}
        Some(other) => {
            let other = nixdive_base::text::display_in_sentence(other);
            return Err(format!("unsupported schema `{other}`: expected {BASELINE_SCHEMA}; {renew}"));
        }
        None => return Err(format!("it names no schema; {renew}")),
    }
    let mut snapshot: Snapshot =
        serde_json::from_slice(bytes).map_err(|error| format!("it is incomplete or malformed: {error}; {renew}"))?;
    clean(&mut snapshot);
    if !snapshot.has_all_files {
        // Of the smallest that is stored there may be more.
        snapshot.files_from_bytes = snapshot.files.iter().map(|row| row.bytes).min().unwrap_or(0).saturating_add(1);
    }
    Ok(snapshot)
}

/// A stored baseline is input like any other: what it says may be shown.
fn clean(snapshot: &mut Snapshot) {
    let clean = |text: &mut String| *text = nixdive_base::text::display_name(text.as_bytes()).into_owned();
    [&mut snapshot.image, &mut snapshot.platform].into_iter().for_each(clean);
    for layer in &mut snapshot.layers {
        clean(&mut layer.command);
        layer.diff_id.iter_mut().chain(&mut layer.digest).for_each(clean);
    }
    for row in &mut snapshot.store_paths {
        [&mut row.path, &mut row.name, &mut row.version, &mut row.output].into_iter().for_each(clean);
    }
    for row in &mut snapshot.packages {
        [&mut row.kind, &mut row.name, &mut row.architecture, &mut row.version].into_iter().for_each(clean);
    }
    snapshot.files.iter_mut().chain(&mut snapshot.directories).for_each(|row| clean(&mut row.path));
}

/// Writes a snapshot as a baseline: stable order, only the largest files and directories.
///
/// # Errors
/// If writing fails.
pub fn to_json(snapshot: &Snapshot) -> io::Result<Vec<u8>> {
    let stored = Snapshot {
        has_all_files: snapshot.has_all_files && snapshot.files.len() <= FILES,
        files: snapshot.files.iter().take(FILES).cloned().collect(),
        directories: snapshot.directories.iter().take(DIRECTORIES).cloned().collect(),
        ..snapshot.clone()
    };
    let mut bytes = serde_json::to_vec_pretty(&stored)?;
    bytes.push(b'\n');
    Ok(bytes)
}
