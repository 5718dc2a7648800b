use serde::de::{IgnoredAny, MapAccess};

use super::SourceError;
use super::lenient::{Fill, Lenient, Objects, Pairs, Texts};
use crate::image::{Config, Healthcheck, HistoryEntry};

/// Bytes that a configuration may have. containers/image, which podman and skopeo are built on, stops at the same
/// (`iolimits.MaxConfigBodySize`); in memory it can take seventy times as much.
const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// An image configuration from its JSON. Every field may be missing or of another type than it should be: it then
/// counts as not given.
///
/// # Errors
/// [`SourceError::Document`] when it is no JSON object, [`SourceError::TooLong`] beyond 4 MiB.
pub fn parse_config(name: &str, bytes: &[u8]) -> Result<Config, SourceError> {
    let length = bytes.len() as u64;
    if length > MAX_CONFIG_BYTES {
        return Err(SourceError::TooLong { name: name.to_owned(), length, most: MAX_CONFIG_BYTES });
    }
    let Top { is_object, config } = parse_lenient(name, bytes)?;
    if is_object {
        return Ok(config);
    }
    let reason = "an image configuration is a JSON object".to_owned();
    Err(SourceError::Document { name: name.to_owned(), reason })
}

/// A document of which what suits `T` counts.
pub(super) fn parse_lenient<T: Fill>(name: &str, bytes: &[u8]) -> Result<T, SourceError> {
    let broken = |error: serde_json::Error| SourceError::Document { name: name.to_owned(), reason: error.to_string() };
    let Lenient(value) = serde_json::from_slice(bytes).map_err(broken)?;
    Ok(value)
}

/// Reads the value of an entry as what suits it.
fn value<'de, T: Fill, A: MapAccess<'de>>(entries: &mut A) -> Result<T, A::Error> {
    entries.next_value::<Lenient<T>>().map(|Lenient(value)| value)
}

#[derive(Default)]
struct Top {
    is_object: bool,
    config: Config,
}

impl Fill for Top {
    fn map<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        self.is_object = true;
        let config = &mut self.config;
        let mut run = Run::default();
        while let Some(key) = entries.next_key::<String>()? {
            match key.as_str() {
                "os" => config.platform.os = value::<Option<String>, A>(&mut entries)?.unwrap_or_default(),
                "architecture" => {
                    config.platform.architecture = value::<Option<String>, A>(&mut entries)?.unwrap_or_default();
                }
                "variant" => {
                    let variant: Option<String> = value(&mut entries)?;
                    config.platform.variant = variant.filter(|variant| !variant.is_empty());
                }
                "created" => config.created = value(&mut entries)?,
                "author" => config.author = value(&mut entries)?,
                "config" => run = value(&mut entries)?,
                "rootfs" => config.diff_ids = value::<RootFs, A>(&mut entries)?.0,
                "history" => config.history = value::<Objects<HistoryEntry>, A>(&mut entries)?.0,
                _ => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        run.apply(config);
        Ok(())
    }
}

/// The part that says how to run it.
#[derive(Default)]
pub(super) struct Run(Config);

impl Run {
    /// Puts it into the configuration, whose other fields were read apart.
    pub fn apply(self, config: &mut Config) {
        let outer = std::mem::replace(config, self.0);
        config.platform = outer.platform;
        config.created = outer.created;
        config.author = outer.author;
        config.history = outer.history;
        config.diff_ids = outer.diff_ids;
    }
}

impl Fill for Run {
    fn map<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        let run = &mut self.0;
        while let Some(key) = entries.next_key::<String>()? {
            match key.as_str() {
                "Entrypoint" => run.entrypoint = value::<Texts, A>(&mut entries)?.0,
                "Cmd" => run.cmd = value::<Texts, A>(&mut entries)?.0,
                "Env" => run.env = value::<Texts, A>(&mut entries)?.0,
                "Shell" => run.shell = value::<Texts, A>(&mut entries)?.0,
                "OnBuild" => run.on_build = value::<Texts, A>(&mut entries)?.0,
                "User" => run.user = value::<Option<String>, A>(&mut entries)?.unwrap_or_default(),
                "WorkingDir" => {
                    run.working_directory = value::<Option<String>, A>(&mut entries)?.unwrap_or_default();
                }
                "ExposedPorts" => run.exposed_ports = names(value(&mut entries)?),
                "Volumes" => run.volumes = names(value(&mut entries)?),
                "Labels" => run.labels = value::<Pairs, A>(&mut entries)?.0,
                "StopSignal" => run.stop_signal = value(&mut entries)?,
                "Healthcheck" => run.healthcheck = value::<Check, A>(&mut entries)?.0,
                _ => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

fn names(pairs: Pairs) -> Vec<String> {
    pairs.0.into_iter().map(|(name, _)| name).collect()
}

#[derive(Default)]
struct RootFs(Vec<String>);

impl Fill for RootFs {
    fn map<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some(key) = entries.next_key::<String>()? {
            match key.as_str() {
                "diff_ids" => self.0 = value::<Texts, A>(&mut entries)?.0,
                _ => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Check(Option<Healthcheck>);

impl Fill for Check {
    fn map<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        let mut check = Healthcheck::default();
        while let Some(key) = entries.next_key::<String>()? {
            match key.as_str() {
                "Test" => check.test = value::<Texts, A>(&mut entries)?.0,
                "Interval" => check.interval = value(&mut entries)?,
                "Timeout" => check.timeout = value(&mut entries)?,
                "StartPeriod" => check.start_period = value(&mut entries)?,
                "Retries" => check.retries = value(&mut entries)?,
                _ => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        self.0 = Some(check);
        Ok(())
    }
}

impl Fill for HistoryEntry {
    fn map<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some(key) = entries.next_key::<String>()? {
            match key.as_str() {
                "created" => self.created = value(&mut entries)?,
                "created_by" => self.created_by = value(&mut entries)?,
                "author" => self.author = value(&mut entries)?,
                "comment" => self.comment = value(&mut entries)?,
                "empty_layer" => self.empty_layer = value::<Option<bool>, A>(&mut entries)?.unwrap_or(false),
                _ => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// What a layer of Docker's oldest form says besides a configuration.
#[derive(Debug, Default)]
pub(super) struct LegacyLayer {
    pub parent: Option<String>,
    pub created: Option<String>,
    /// The command that made it, as words.
    pub command: Option<Vec<String>>,
}

impl Fill for LegacyLayer {
    fn map<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some(key) = entries.next_key::<String>()? {
            match key.as_str() {
                "parent" => self.parent = value(&mut entries)?,
                "created" => self.created = value(&mut entries)?,
                "container_config" => {
                    let command = value::<Run, A>(&mut entries)?.0.cmd;
                    self.command = Some(command).filter(|words| !words.is_empty());
                }
                _ => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::parse_config;

    #[test]
    fn every_field_is_optional() {
        let config = parse_config("config.json", b"{}").unwrap();
        assert_eq!(config, crate::image::Config::default());
    }

    #[test]
    fn a_field_of_the_wrong_type_counts_as_not_given() {
        let bytes = br#"{"os": 5, "created": null, "config": {"Env": {"a": 1}, "Cmd": "sh", "Labels": {"n": 7}},
            "history": [{"created_by": ["x"]}, 3], "rootfs": {"diff_ids": ["sha256:ab", 4]}}"#;
        let config = parse_config("config.json", bytes).unwrap();
        assert_eq!(config.platform.os, "");
        assert_eq!(config.cmd, ["sh"]);
        assert_eq!(config.labels, [("n".to_owned(), "7".to_owned())]);
        assert_eq!(config.history.len(), 2);
        assert_eq!(config.diff_ids, ["sha256:ab"]);
    }

    #[test]
    fn one_longer_than_any_engine_takes_is_refused() {
        let mut bytes = b"{}".to_vec();
        bytes.resize(4 << 20, b' ');
        assert!(parse_config("config.json", &bytes).is_ok());
        bytes.push(b' ');
        assert!(parse_config("config.json", &bytes).unwrap_err().to_string().contains("4194304"));
    }

    #[test]
    fn what_is_no_object_is_named() {
        for bytes in [&b"[]"[..], b"", b"{", b"\xff"] {
            let message = parse_config("sha256/abc", bytes).unwrap_err().to_string();
            assert!(message.contains("sha256/abc"), "{message}");
        }
    }
}
