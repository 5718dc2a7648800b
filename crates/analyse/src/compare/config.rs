use std::collections::{BTreeMap, BTreeSet};

use nixdive_image::{Config, Healthcheck, HistoryEntry, Image};

/// A field of the configuration that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigChange {
    /// The field as the OCI image specification names it: `Entrypoint`, `Env`, `created`.
    pub field: &'static str,
    /// Key of the entry in a field with several entries: the name of a variable or label, a port, a
    /// path.
    pub key: Option<String>,
    /// On the left side; `None` where it is not set.
    pub left: Option<String>,
    /// On the right side; `None` where it is not set.
    pub right: Option<String>,
}

/// Compares two configurations field by field. `semantic` leaves out what says nothing of the running container: time of
/// making, author, history.
#[must_use]
pub(super) fn config_changes(left: &Image, right: &Image, semantic: bool) -> Vec<ConfigChange> {
    let mut found = Vec::new();
    let (left, right) = (fields(&left.config, semantic), fields(&right.config, semantic));
    let names: BTreeSet<&Name> = left.keys().chain(right.keys()).collect();
    for name in names {
        let (before, after) = (left.get(name), right.get(name));
        if before != after {
            let (_, field, key) = name.clone();
            found.push(ConfigChange { field, key, left: before.cloned(), right: after.cloned() });
        }
    }
    found
}

/// Place in the report, field, key.
type Name = (u8, &'static str, Option<String>);

fn fields(config: &Config, semantic: bool) -> BTreeMap<Name, String> {
    let mut fields = BTreeMap::new();
    let mut set = |place: u8, field: &'static str, value: String| {
        if !value.is_empty() {
            fields.insert((place, field, None), value);
        }
    };
    set(0, "os", config.platform.os.clone());
    set(1, "architecture", config.platform.architecture.clone());
    set(2, "variant", config.platform.variant.clone().unwrap_or_default());
    set(3, "Entrypoint", words(&config.entrypoint));
    set(4, "Cmd", words(&config.cmd));
    set(6, "WorkingDir", config.working_directory.clone());
    set(7, "User", config.user.clone());
    set(11, "StopSignal", config.stop_signal.clone().unwrap_or_default());
    set(12, "Healthcheck", config.healthcheck.as_ref().map(healthcheck).unwrap_or_default());
    set(13, "Shell", words(&config.shell));
    set(14, "OnBuild", words(&config.on_build));
    if !semantic {
        set(15, "author", config.author.clone().unwrap_or_default());
        set(16, "created", config.created.clone().unwrap_or_default());
    }
    let steps = config.history.iter().enumerate().filter(|_| !semantic);
    fields.extend(steps.map(|(number, text)| ((17, "history", Some(format!("{number:03}"))), step(text))));
    for variable in &config.env {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        fields.insert((5, "Env", Some(name.to_owned())), value.to_owned());
    }
    for (name, value) in &config.labels {
        fields.insert((10, "Labels", Some(name.clone())), value.clone());
    }
    for port in &config.exposed_ports {
        fields.insert((8, "ExposedPorts", Some(port.clone())), String::new());
    }
    for volume in &config.volumes {
        fields.insert((9, "Volumes", Some(volume.clone())), String::new());
    }
    fields
}

/// A list of words as JSON; empty for none.
fn words(words: &[String]) -> String {
    if words.is_empty() { String::new() } else { serde_json::to_string(words).unwrap_or_default() }
}

fn healthcheck(check: &Healthcheck) -> String {
    let mut text = words(&check.test);
    let fields = [
        ("interval", check.interval),
        ("timeout", check.timeout),
        ("start period", check.start_period),
        ("retries", check.retries),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            text.push_str(&format!(" {name} {value}"));
        }
    }
    text
}

fn step(step: &HistoryEntry) -> String {
    let texts = [&step.created, &step.created_by, &step.author, &step.comment];
    let texts: Vec<&str> = texts.into_iter().filter_map(Option::as_deref).collect();
    texts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(change: impl FnOnce(&mut Config)) -> Image {
        let mut config = Config { env: vec!["PATH=/bin".into(), "A=1".into()], ..Config::default() };
        change(&mut config);
        let (identity, tree) = Default::default();
        Image {
            identity,
            config,
            layers: Vec::new(),
            tree,
            warnings: Vec::new(),
            defects: Vec::new(),
            source_bytes: None,
        }
    }

    fn told(left: &Image, right: &Image, semantic: bool) -> Vec<String> {
        let shown = |change: &ConfigChange| {
            let key = change.key.as_deref().unwrap_or_default();
            format!("{} {key}: {:?} {:?}", change.field, change.left, change.right)
        };
        config_changes(left, right, semantic).iter().map(shown).collect()
    }

    #[test]
    fn fields_are_told_one_by_one_and_variables_by_name() {
        let left = image(|_| {});
        let right = image(|config| {
            config.env = vec!["A=2".into(), "PATH=/bin".into(), "B".into()];
            config.entrypoint = vec!["a b".into()];
            config.created = Some("2024".into());
        });
        let expected = [
            r#"Entrypoint : None Some("[\"a b\"]")"#,
            r#"Env A: Some("1") Some("2")"#,
            r#"Env B: None Some("")"#,
            r#"created : None Some("2024")"#,
        ];
        assert_eq!(told(&left, &right, false), expected);
        assert_eq!(told(&left, &right, true), expected[..3]);
        assert_eq!(told(&right, &right, false), Vec::<String>::new());
    }
}
