use std::io;
use std::path::PathBuf;

use nixdive_tui::Settings;

/// Bytes that a configuration file may have.
const MAX_BYTES: u64 = 1 << 20;

/// Reads the user's configuration file; the defaults where there is none.
///
/// # Errors
/// One that names the file and the line.
pub fn read() -> anyhow::Result<Settings> {
    let Some(path) = path() else { return Ok(Settings::default()) };
    let shown = nixdive_base::text::display_name(path.as_os_str().as_encoded_bytes()).into_owned();
    match path.metadata() {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Settings::default());
        }
        Ok(metadata) if metadata.len() > MAX_BYTES => anyhow::bail!("{shown}: too long for a configuration file"),
        _ => {}
    }
    let text = std::fs::read_to_string(&path).map_err(|error| anyhow::anyhow!("{shown}: {error}"))?;
    Settings::parse(&text).map_err(|error| anyhow::anyhow!("{shown}:{}: {}", error.line, error.reason))
}

/// Checks the configuration file in the directory that `XDG_CONFIG_HOME` names, so that commands that do not use it
/// report a mistake in it. Without that variable nothing is read: only browsing touches the home directory.
///
/// # Errors
/// If the file cannot be read, or a setting is unknown or malformed; the error names the file and the line.
pub fn check_named() -> anyhow::Result<()> {
    if std::env::var_os("XDG_CONFIG_HOME").is_some_and(|directory| PathBuf::from(directory).is_absolute()) {
        read()?;
    }
    Ok(())
}

/// `$XDG_CONFIG_HOME/nixdive/config.toml`, else below `~/.config` (XDG Base Directory Specification 0.8).
fn path() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(base.join("nixdive/config.toml"))
}
