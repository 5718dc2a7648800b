use serde::de::{IgnoredAny, MapAccess};

use super::SourceError;
use super::lenient::{Fill, Filled, Lenient, Objects, Pairs};
use nixdive_base::go_json::field_of;
use nixdive_image::{Config, Healthcheck, HistoryEntry};

/// Maximum bytes of a configuration. containers/image, the basis of podman and skopeo, has the same limit
/// (`iolimits.MaxConfigBodySize`); in memory a configuration can need seventy times as much.
const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// Parses an image configuration. The case of keys is ignored, as engines do. A field that is missing or has the wrong
/// type is left at its default.
///
/// # Errors
/// [`SourceError::Document`] if it is not a JSON object, [`SourceError::TooLong`] if it exceeds 4 MiB.
pub fn parse_config(name: &str, bytes: &[u8]) -> Result<Config, SourceError> {
    let length = bytes.len() as u64;
    if length > MAX_CONFIG_BYTES {
        return Err(SourceError::TooLong { name: name.to_owned(), length, most: MAX_CONFIG_BYTES });
    }
    let Top { is_object, config } = parse_lenient(name, bytes)?;
    if is_object {
        return Ok(config);
    }
    let reason = "an image configuration must be a JSON object".to_owned();
    Err(SourceError::Document { name: name.to_owned(), reason })
}

/// Parses a document and ignores values that do not fit `T`.
pub(super) fn parse_lenient<T: Fill>(name: &str, bytes: &[u8]) -> Result<T, SourceError> {
    let broken = |error: serde_json::Error| SourceError::Document { name: name.to_owned(), reason: error.to_string() };
    let Lenient(value) = serde_json::from_slice(bytes).map_err(broken)?;
    Ok(value)
}

/// Fills a field with the value of an entry, if it fits.
fn fill<'de, T: Fill, A: MapAccess<'de>>(entries: &mut A, field: &mut T) -> Result<(), A::Error> {
    entries.next_value_seed(Filled(field))
}

/// Passes over the value of an entry.
fn skip<'de, A: MapAccess<'de>>(entries: &mut A) -> Result<(), A::Error> {
    entries.next_value::<IgnoredAny>().map(drop)
}

#[derive(Default)]
struct Top {
    is_object: bool,
    config: Config,
}

const TOP: &[&str] = &["os", "architecture", "variant", "created", "author", "config", "rootfs", "history"];

impl Fill for Top {
    fn map<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        self.is_object = true;
        let config = &mut self.config;
        let (mut run, mut rootfs, mut history) = (Run::default(), RootFs::default(), Objects::default());
        while let Some(key) = entries.next_key::<String>()? {
            match field_of(&key, TOP) {
                Some("os") => fill(&mut entries, &mut config.platform.os)?,
                Some("architecture") => fill(&mut entries, &mut config.platform.architecture)?,
                Some("variant") => fill(&mut entries, &mut config.platform.variant)?,
                Some("created") => fill(&mut entries, &mut config.created)?,
                Some("author") => fill(&mut entries, &mut config.author)?,
                Some("config") => fill(&mut entries, &mut run)?,
                Some("rootfs") => fill(&mut entries, &mut rootfs)?,
                Some("history") => fill(&mut entries, &mut history)?,
                _ => skip(&mut entries)?,
            }
        }
        config.platform.variant.take_if(|variant| variant.is_empty());
        config.diff_ids = rootfs.0;
        config.history = history.0;
        run.apply(config);
        Ok(())
    }
}

/// The part that describes how to run the image.
#[derive(Default)]
pub(super) struct Run(Config);

impl Run {
    /// Copies it into the configuration, whose other fields were read separately.
    pub fn apply(self, config: &mut Config) {
        let outer = std::mem::replace(config, self.0);
        config.platform = outer.platform;
        config.created = outer.created;
        config.author = outer.author;
        config.history = outer.history;
        config.diff_ids = outer.diff_ids;
    }
}

const RUN: &[&str] = &[
    "Entrypoint",
    "Cmd",
    "Env",
    "Shell",
    "OnBuild",
    "User",
    "WorkingDir",
    "ExposedPorts",
    "Volumes",
    "Labels",
    "StopSignal",
    "Healthcheck",
];

impl Fill for Run {
    fn map<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        let run = &mut self.0;
        while let Some(key) = entries.next_key::<String>()? {
            match field_of(&key, RUN) {
                Some("Entrypoint") => fill(&mut entries, &mut run.entrypoint)?,
                Some("Cmd") => fill(&mut entries, &mut run.cmd)?,
                Some("Env") => fill(&mut entries, &mut run.env)?,
                Some("Shell") => fill(&mut entries, &mut run.shell)?,
                Some("OnBuild") => fill(&mut entries, &mut run.on_build)?,
                Some("User") => fill(&mut entries, &mut run.user)?,
                Some("WorkingDir") => fill(&mut entries, &mut run.working_directory)?,
                Some("ExposedPorts") => fill_names(&mut entries, &mut run.exposed_ports)?,
                Some("Volumes") => fill_names(&mut entries, &mut run.volumes)?,
                Some("Labels") => {
                    let mut labels = Pairs(std::mem::take(&mut run.labels));
                    fill(&mut entries, &mut labels)?;
                    run.labels = labels.0;
                }
                Some("StopSignal") => fill(&mut entries, &mut run.stop_signal)?,
                Some("Healthcheck") => {
                    let mut check = Check(run.healthcheck.take());
                    fill(&mut entries, &mut check)?;
                    run.healthcheck = check.0;
                }
                _ => skip(&mut entries)?,
            }
        }
        Ok(())
    }
}

/// Collects the names of an object whose values are meaningless.
fn fill_names<'de, A: MapAccess<'de>>(entries: &mut A, names: &mut Vec<String>) -> Result<(), A::Error> {
    let mut pairs = Pairs(std::mem::take(names).into_iter().map(|name| (name, String::new())).collect());
    fill(entries, &mut pairs)?;
    *names = pairs.0.into_iter().map(|(name, _)| name).collect();
    Ok(())
}

#[derive(Default)]
struct RootFs(Vec<String>);

impl Fill for RootFs {
    fn map<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some(key) = entries.next_key::<String>()? {
            match field_of(&key, &["diff_ids"]) {
                Some(_) => fill(&mut entries, &mut self.0)?,
                None => skip(&mut entries)?,
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Check(Option<Healthcheck>);

const CHECK: &[&str] = &["Test", "Interval", "Timeout", "StartPeriod", "Retries"];

impl Fill for Check {
    fn nothing(&mut self) {
        self.0 = None;
    }

    fn map<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        let check = self.0.get_or_insert_default();
        while let Some(key) = entries.next_key::<String>()? {
            match field_of(&key, CHECK) {
                Some("Test") => fill(&mut entries, &mut check.test)?,
                Some("Interval") => fill(&mut entries, &mut check.interval)?,
                Some("Timeout") => fill(&mut entries, &mut check.timeout)?,
                Some("StartPeriod") => fill(&mut entries, &mut check.start_period)?,
                Some("Retries") => fill(&mut entries, &mut check.retries)?,
                _ => skip(&mut entries)?,
            }
        }
        Ok(())
    }
}

const HISTORY: &[&str] = &["created", "created_by", "author", "comment", "empty_layer"];

impl Fill for HistoryEntry {
    fn map<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some(key) = entries.next_key::<String>()? {
            match field_of(&key, HISTORY) {
                Some("created") => fill(&mut entries, &mut self.created)?,
                Some("created_by") => fill(&mut entries, &mut self.created_by)?,
                Some("author") => fill(&mut entries, &mut self.author)?,
                Some("comment") => fill(&mut entries, &mut self.comment)?,
                Some("empty_layer") => fill(&mut entries, &mut self.empty_layer)?,
                _ => skip(&mut entries)?,
            }
        }
        Ok(())
    }
}

/// Fields of a layer in Docker's oldest format that are not part of a configuration.
#[derive(Debug, Default)]
pub(super) struct LegacyLayer {
    pub parent: Option<String>,
    pub created: Option<String>,
    /// The command that created it, as words.
    pub command: Option<Vec<String>>,
}

impl Fill for LegacyLayer {
    fn map<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        let mut container = Run::default();
        while let Some(key) = entries.next_key::<String>()? {
            match field_of(&key, &["parent", "created", "container_config"]) {
                Some("parent") => fill(&mut entries, &mut self.parent)?,
                Some("created") => fill(&mut entries, &mut self.created)?,
                Some("container_config") => fill(&mut entries, &mut container)?,
                _ => skip(&mut entries)?,
            }
        }
        self.command = Some(container.0.cmd).filter(|words| !words.is_empty());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::parse_config;

    #[test]
    fn every_field_is_optional() {
        let config = parse_config("config.json", b"{}").unwrap();
        assert_eq!(config, nixdive_image::Config::default());
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

    /// Expected values come from Go 1.26's `encoding/json` with the structs of the OCI image specification.
    #[test]
    fn keys_ignore_case_and_the_last_one_counts() {
        let bytes = br#"{"OS": "linux", "Architecture": "arm64", "config": {"entrypoint": ["/old"], "Entrypoint": ["/a", "b"],
            "cmd": ["first"], "CMD": ["-g"], "env": ["A=1", "B=2"], "user": "1000", "labels": {"a": "1", "A": "2", "a": "3"},
            "workingdir": "/w", "exposedports": {"80/tcp": {}}, "Stop\u017fignal": "SIGINT"},
            "Config": {"User": null, "Env": ["C=3"], "Labels": {"b": "4"}, "Cmd": null},
            "RootFS": {"Diff_IDs": ["sha256:ab"]}, "History": [{"Created_By": "x", "EMPTY_LAYER": true}]}"#;
        let config = parse_config("config.json", bytes).unwrap();
        assert_eq!(config.platform.to_string(), "linux/arm64");
        assert_eq!(config.entrypoint, ["/a", "b"]);
        assert_eq!((config.cmd.len(), config.env.as_slice()), (0, &["C=3".to_owned()][..]));
        assert_eq!((config.user.as_str(), config.working_directory.as_str()), ("1000", "/w"));
        let labels: Vec<String> = config.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(labels, ["A=2", "a=3", "b=4"]);
        assert_eq!(config.exposed_ports, ["80/tcp"]);
        assert_eq!(config.stop_signal.as_deref(), Some("SIGINT"));
        assert_eq!((config.diff_ids.len(), config.history.len()), (1, 1));
        assert!(config.history[0].empty_layer);
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
    fn errors_name_a_document_that_is_not_an_object() {
        for bytes in [&b"[]"[..], b"", b"{", b"\xff"] {
            let message = parse_config("sha256/abc", bytes).unwrap_err().to_string();
            assert!(message.contains("sha256/abc"), "{message}");
        }
    }
}
