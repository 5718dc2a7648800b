//! Fields of the configuration that the command line sets.

use std::io::Read;

use crate::cli::rebuild_arguments::ConfigArguments;
use nixdive_image::Config;
use nixdive_rebuild::from_store::{ConfigChanges, read_config};

/// Bytes of a configuration file that are read.
const MOST_BYTES: u64 = (4 << 20) + 1;

/// Sets them: those of the file first, then those of the arguments.
pub fn apply(arguments: &ConfigArguments, config: &mut Config) -> anyhow::Result<()> {
    if let Some(path) = &arguments.config {
        let name = path.display().to_string();
        let failed = |error: &dyn std::fmt::Display| anyhow::anyhow!("{name}: {error}");
        let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
        let given = read_config(&bytes).map_err(|error| failed(&error))?;
        merge(config, given)?;
    }
    let changes = ConfigChanges {
        entrypoint: arguments.entrypoint.as_deref().map(|text| list("--entrypoint", text)).transpose()?,
        cmd: arguments.cmd.as_deref().map(|text| list("--cmd", text)).transpose()?,
        env: arguments.env.clone(),
        user: arguments.user.clone(),
        working_directory: arguments.workdir.clone(),
        exposed_ports: arguments.expose.clone(),
        volumes: arguments.volume.clone(),
        labels: arguments.label.clone(),
        stop_signal: arguments.stop_signal.clone(),
        platform: None,
    };
    Ok(changes.apply(config)?)
}

/// Sets the fields that a document gives.
fn merge(config: &mut Config, given: Config) -> anyhow::Result<()> {
    let some = |list: Vec<String>| (!list.is_empty()).then_some(list);
    let labels = given.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let changes = ConfigChanges {
        entrypoint: some(given.entrypoint),
        cmd: some(given.cmd),
        env: given.env,
        user: Some(given.user).filter(|user| !user.is_empty()),
        working_directory: Some(given.working_directory).filter(|directory| !directory.is_empty()),
        exposed_ports: given.exposed_ports,
        volumes: given.volumes,
        labels,
        stop_signal: given.stop_signal,
        platform: None,
    };
    changes.apply(config)?;
    config.healthcheck = given.healthcheck.or(config.healthcheck.take());
    for (field, given) in [(&mut config.shell, given.shell), (&mut config.on_build, given.on_build)] {
        if !given.is_empty() {
            *field = given;
        }
    }
    Ok(())
}

/// One word, or a JSON list of words.
fn list(argument: &str, text: &str) -> anyhow::Result<Vec<String>> {
    if text.trim_start().starts_with('[') {
        let read = serde_json::from_str(text);
        return read.map_err(|error| anyhow::anyhow!("{argument}: not a JSON list of strings: {error}"));
    }
    Ok(if text.is_empty() { Vec::new() } else { vec![text.to_owned()] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_one_word_or_a_list() {
        assert_eq!(list("--cmd", "/bin/a b").unwrap(), ["/bin/a b"]);
        assert_eq!(list("--cmd", r#"["/bin/a", "b"]"#).unwrap(), ["/bin/a", "b"]);
        assert!(list("--cmd", "[1]").is_err());
        assert!(list("--cmd", "").unwrap().is_empty());
    }

    #[test]
    fn what_a_document_does_not_say_stays() {
        let mut config = Config { cmd: vec!["old".into()], user: "app".into(), ..Config::default() };
        merge(&mut config, read_config(br#"{"Env": ["A=1"], "Cmd": ["new"]}"#).unwrap()).unwrap();
        assert_eq!((config.cmd, config.user, config.env), (vec!["new".into()], "app".into(), vec!["A=1".into()]));
    }
}
