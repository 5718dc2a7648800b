//! Image configuration from a document and from command-line options.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use nixdive_base::text::display_in_sentence;
use nixdive_image::{Config, Healthcheck, Platform};

/// Maximum length of a document, bytes.
const MAX_DOCUMENT_BYTES: usize = 4 << 20;

/// Reasons why a document or an option is not a valid configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The document does not have the form of dockerTools' `config`.
    #[error("invalid configuration: {}", display_in_sentence(.0))]
    Document(String),
    /// The document is longer than any engine accepts.
    #[error("the configuration has {0} bytes; the limit is {MAX_DOCUMENT_BYTES}")]
    TooLong(usize),
    /// Invalid value of an option.
    #[error("`{}` is not a valid {what}", display_in_sentence(.text))]
    Text {
        /// Text as the user gave it.
        text: String,
        /// Expected kind of value.
        what: &'static str,
    },
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
struct Document {
    user: String,
    exposed_ports: BTreeMap<String, IgnoredAny>,
    env: Vec<String>,
    entrypoint: Vec<String>,
    cmd: Vec<String>,
    volumes: BTreeMap<String, IgnoredAny>,
    working_dir: String,
    labels: BTreeMap<String, String>,
    stop_signal: Option<String>,
    healthcheck: Option<Check>,
    on_build: Vec<String>,
    shell: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
struct Check {
    test: Vec<String>,
    interval: Option<u64>,
    timeout: Option<u64>,
    start_period: Option<u64>,
    retries: Option<u64>,
}

/// Parses the `config` of dockerTools and nix2container from JSON: the `config` of an OCI image configuration, with
/// keys in upper or lower case. An unknown key is an error, as it would be lost.
///
/// # Errors
/// If the document is too long, is not valid JSON, or has an unknown key.
pub fn read_config(bytes: &[u8]) -> Result<Config, ConfigError> {
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return Err(ConfigError::TooLong(bytes.len()));
    }
    // A list would be parsed as the fields in order.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(ConfigError::Document("not a JSON object".to_owned()));
    }
    let document: Document =
        nixdive_base::go_json::from_slice(bytes).map_err(|error| ConfigError::Document(error.to_string()))?;
    let check = |check: Check| Healthcheck {
        test: check.test,
        interval: check.interval,
        timeout: check.timeout,
        start_period: check.start_period,
        retries: check.retries,
    };
    let config = Config {
        user: document.user,
        exposed_ports: document.exposed_ports.into_keys().collect(),
        env: document.env,
        entrypoint: document.entrypoint,
        cmd: document.cmd,
        volumes: document.volumes.into_keys().collect(),
        working_directory: document.working_dir,
        labels: document.labels.into_iter().collect(),
        stop_signal: document.stop_signal,
        healthcheck: document.healthcheck.map(check),
        on_build: document.on_build,
        shell: document.shell,
        ..Config::default()
    };
    config.env.iter().try_for_each(|variable| variable_name(variable).map(drop))?;
    config.exposed_ports.iter().try_for_each(|port| checked_port(port).map(drop))?;
    Ok(config)
}

/// Changes that options make to a configuration. `None` and empty fields change nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigChanges {
    /// Program and first arguments. As with Docker, setting it without `cmd` clears the previous command.
    pub entrypoint: Option<Vec<String>>,
    /// Further arguments.
    pub cmd: Option<Vec<String>>,
    /// Variables as `NAME=value`; one of the same name is replaced.
    pub env: Vec<String>,
    /// User and group.
    pub user: Option<String>,
    /// Working directory.
    pub working_directory: Option<String>,
    /// Ports as `PORT` or `PORT/PROTOCOL`.
    pub exposed_ports: Vec<String>,
    /// Paths of volumes.
    pub volumes: Vec<String>,
    /// Labels as `NAME=value`; one of the same name is replaced.
    pub labels: Vec<String>,
    /// Signal that stops the container.
    pub stop_signal: Option<String>,
    /// Platform as `os/architecture[/variant]`.
    pub platform: Option<Platform>,
}

impl ConfigChanges {
    /// Applies the changes to a configuration.
    ///
    /// # Errors
    /// [`ConfigError::Text`] if a value is invalid; the configuration is then unchanged.
    pub fn apply(&self, config: &mut Config) -> Result<(), ConfigError> {
        let mut changed = config.clone();
        if let Some(entrypoint) = &self.entrypoint {
            changed.entrypoint.clone_from(entrypoint);
            changed.cmd.clear();
        }
        changed.cmd = self.cmd.clone().unwrap_or(changed.cmd);
        for variable in &self.env {
            put_variable(&mut changed.env, variable)?;
        }
        changed.user = self.user.clone().unwrap_or(changed.user);
        if let Some(directory) = &self.working_directory {
            changed.working_directory = absolute(directory)?;
        }
        for port in &self.exposed_ports {
            put_once(&mut changed.exposed_ports, checked_port(port)?);
        }
        for volume in &self.volumes {
            put_once(&mut changed.volumes, absolute(volume)?);
        }
        for label in &self.labels {
            let wrong = || ConfigError::Text { text: label.clone(), what: "label: NAME=value" };
            let (name, value) = label.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(wrong)?;
            changed.labels.retain(|(known, _)| known != name);
            changed.labels.push((name.to_owned(), value.to_owned()));
            changed.labels.sort();
        }
        changed.stop_signal = self.stop_signal.clone().or(changed.stop_signal);
        changed.platform = self.platform.clone().unwrap_or(changed.platform);
        *config = changed;
        Ok(())
    }
}

/// Fills in missing fields from the base; variables and labels of both are combined.
pub(super) fn over_base(config: &Config, base: &Config) -> Config {
    let mut merged = config.clone();
    // Entry point and command belong together.
    if merged.entrypoint.is_empty() && merged.cmd.is_empty() {
        merged.entrypoint.clone_from(&base.entrypoint);
        merged.cmd.clone_from(&base.cmd);
    }
    merged.env.clone_from(&base.env);
    for variable in &config.env {
        // A variable without a name was accepted by the base; it is kept unchanged.
        if put_variable(&mut merged.env, variable).is_err() {
            merged.env.push(variable.clone());
        }
    }
    for (name, value) in &base.labels {
        if !merged.labels.iter().any(|(known, _)| known == name) {
            merged.labels.push((name.clone(), value.clone()));
        }
    }
    merged.labels.sort();
    base.exposed_ports.iter().for_each(|port| put_once(&mut merged.exposed_ports, port.clone()));
    base.volumes.iter().for_each(|volume| put_once(&mut merged.volumes, volume.clone()));
    let or_base = |own: &str, base: &str| if own.is_empty() { base.to_owned() } else { own.to_owned() };
    merged.user = or_base(&config.user, &base.user);
    merged.working_directory = or_base(&config.working_directory, &base.working_directory);
    merged.stop_signal = merged.stop_signal.or_else(|| base.stop_signal.clone());
    merged.healthcheck = merged.healthcheck.or_else(|| base.healthcheck.clone());
    merged.author = merged.author.or_else(|| base.author.clone());
    if merged.shell.is_empty() {
        merged.shell.clone_from(&base.shell);
    }
    if merged.platform == Platform::default() {
        merged.platform = base.platform.clone();
    }
    merged
}

fn variable_name(variable: &str) -> Result<&str, ConfigError> {
    let wrong = || ConfigError::Text { text: variable.to_owned(), what: "variable: NAME=value" };
    let (name, _) = variable.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(wrong)?;
    Ok(name)
}

fn put_variable(env: &mut Vec<String>, variable: &str) -> Result<(), ConfigError> {
    let name = variable_name(variable)?;
    let is_same = |known: &&mut String| known.split_once('=').map_or(known.as_str(), |(name, _)| name) == name;
    match env.iter_mut().find(is_same) {
        Some(known) => variable.clone_into(known),
        None => env.push(variable.to_owned()),
    }
    Ok(())
}

fn put_once(texts: &mut Vec<String>, text: String) {
    if !texts.contains(&text) {
        texts.push(text);
        texts.sort();
    }
}

fn absolute(path: &str) -> Result<String, ConfigError> {
    let is_absolute = path.starts_with('/') && !path.contains('\0');
    is_absolute
        .then(|| path.to_owned())
        .ok_or_else(|| ConfigError::Text { text: path.to_owned(), what: "absolute path" })
}

/// Returns `PORT[-PORT][/PROTOCOL]` with its protocol, tcp by default.
fn checked_port(port: &str) -> Result<String, ConfigError> {
    let (ports, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_good = ports.splitn(2, '-').all(is_port) && ["tcp", "udp", "sctp"].contains(&protocol);
    let wrong = || ConfigError::Text { text: port.to_owned(), what: "port: NUMBER or NUMBER/tcp, /udp, /sctp" };
    is_good.then(|| format!("{ports}/{protocol}")).ok_or_else(wrong)
}
