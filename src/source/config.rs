use serde_json::{Map, Value};

use super::SourceError;
use crate::image::{Config, Healthcheck, HistoryEntry, Platform};

/// Bytes that a configuration may have. containers/image, which podman and skopeo are built on, stops at the same
/// (`iolimits.MaxConfigBodySize`); in memory it can take seventy times as much.
const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// An image configuration from its JSON. Every field may be missing or of another type than it should be: it then
/// counts as not given.
///
/// # Errors
/// [`SourceError::Document`] when it is no JSON object, [`SourceError::TooLong`] beyond 4 MiB.
pub fn parse_config(name: &str, bytes: &[u8]) -> Result<Config, SourceError> {
    let broken = |reason: String| SourceError::Document { name: name.to_owned(), reason };
    let length = bytes.len() as u64;
    if length > MAX_CONFIG_BYTES {
        return Err(SourceError::TooLong { name: name.to_owned(), length, most: MAX_CONFIG_BYTES });
    }
    let value: Value = serde_json::from_slice(bytes).map_err(|error| broken(error.to_string()))?;
    let Value::Object(top) = value else {
        return Err(broken("an image configuration is a JSON object".to_owned()));
    };
    let empty = Map::new();
    let run = top.get("config").and_then(Value::as_object).unwrap_or(&empty);
    let rootfs = top.get("rootfs").and_then(Value::as_object).unwrap_or(&empty);
    Ok(Config {
        platform: Platform {
            os: text(&top, "os").unwrap_or_default(),
            architecture: text(&top, "architecture").unwrap_or_default(),
            variant: text(&top, "variant").filter(|variant| !variant.is_empty()),
        },
        created: text(&top, "created"),
        author: text(&top, "author"),
        entrypoint: texts(run, "Entrypoint"),
        cmd: texts(run, "Cmd"),
        env: texts(run, "Env"),
        user: text(run, "User").unwrap_or_default(),
        working_directory: text(run, "WorkingDir").unwrap_or_default(),
        exposed_ports: keys(run, "ExposedPorts"),
        volumes: keys(run, "Volumes"),
        labels: labels(run),
        stop_signal: text(run, "StopSignal"),
        healthcheck: run.get("Healthcheck").and_then(Value::as_object).map(healthcheck),
        shell: texts(run, "Shell"),
        on_build: texts(run, "OnBuild"),
        history: history(&top),
        diff_ids: texts(rootfs, "diff_ids"),
    })
}

fn text(map: &Map<String, Value>, key: &str) -> Option<String> {
    map.get(key)?.as_str().map(str::to_owned)
}

fn texts(map: &Map<String, Value>, key: &str) -> Vec<String> {
    match map.get(key) {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(item)) => vec![item.clone()],
        _ => Vec::new(),
    }
}

fn keys(map: &Map<String, Value>, key: &str) -> Vec<String> {
    let mut keys: Vec<String> = match map.get(key) {
        Some(Value::Object(items)) => items.keys().cloned().collect(),
        _ => Vec::new(),
    };
    keys.sort();
    keys
}

fn labels(run: &Map<String, Value>) -> Vec<(String, String)> {
    let Some(Value::Object(items)) = run.get("Labels") else { return Vec::new() };
    let mut labels: Vec<(String, String)> = items
        .iter()
        .map(|(key, value)| (key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    labels.sort();
    labels
}

fn healthcheck(map: &Map<String, Value>) -> Healthcheck {
    let number = |key: &str| map.get(key).and_then(Value::as_u64);
    Healthcheck {
        test: texts(map, "Test"),
        interval: number("Interval"),
        timeout: number("Timeout"),
        start_period: number("StartPeriod"),
        retries: number("Retries"),
    }
}

fn history(top: &Map<String, Value>) -> Vec<HistoryEntry> {
    let Some(Value::Array(entries)) = top.get("history") else { return Vec::new() };
    let entry = |value: &Value| {
        let empty = Map::new();
        let map = value.as_object().unwrap_or(&empty);
        HistoryEntry {
            created: text(map, "created"),
            created_by: text(map, "created_by"),
            author: text(map, "author"),
            comment: text(map, "comment"),
            empty_layer: map.get("empty_layer").and_then(Value::as_bool).unwrap_or(false),
        }
    };
    entries.iter().map(entry).collect()
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
