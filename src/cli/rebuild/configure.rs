//! Fields of the configuration that the command line sets.

use crate::cli::rebuild_arguments::ConfigArguments;
use crate::image::Config;
use crate::source::parse_config;

/// Bytes of a configuration file that are read.
const MOST_BYTES: u64 = 4 << 20;

/// Sets them: those of the file first, then those of the arguments.
pub fn apply(arguments: &ConfigArguments, config: &mut Config) -> anyhow::Result<()> {
    if let Some(path) = &arguments.config {
        let name = path.display().to_string();
        let file = std::fs::File::open(path).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(file, MOST_BYTES), &mut bytes)?;
        let value: serde_json::Value =
            serde_json::from_slice(&bytes).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
        if !value.is_object() {
            anyhow::bail!("{name}: give a JSON object with fields such as Entrypoint, Cmd and Env");
        }
        let wrapped = serde_json::json!({ "config": value });
        merge(config, parse_config(&name, wrapped.to_string().as_bytes())?);
    }
    if let Some(text) = &arguments.entrypoint {
        config.entrypoint = list("--entrypoint", text)?;
        // As engines do: arguments of another program would mean nothing to this one.
        config.cmd.clear();
    }
    if let Some(text) = &arguments.cmd {
        config.cmd = list("--cmd", text)?;
    }
    for variable in &arguments.env {
        let (name, _) = variable
            .split_once('=')
            .ok_or_else(|| anyhow::anyhow!("--env: write it as NAME=VALUE, not «{variable}»"))?;
        set_variable(&mut config.env, name, variable);
    }
    for label in &arguments.label {
        let (name, value) =
            label.split_once('=').ok_or_else(|| anyhow::anyhow!("--label: write it as NAME=VALUE, not «{label}»"))?;
        set_label(&mut config.labels, name, value);
    }
    if let Some(directory) = &arguments.workdir {
        config.working_directory.clone_from(directory);
    }
    if let Some(user) = &arguments.user {
        config.user.clone_from(user);
    }
    for port in &arguments.expose {
        let port = if port.contains('/') { port.clone() } else { format!("{port}/tcp") };
        add(&mut config.exposed_ports, port);
    }
    arguments.volume.iter().for_each(|volume| add(&mut config.volumes, volume.clone()));
    if arguments.stop_signal.is_some() {
        config.stop_signal.clone_from(&arguments.stop_signal);
    }
    Ok(())
}

/// One word, or a JSON list of words.
fn list(argument: &str, text: &str) -> anyhow::Result<Vec<String>> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text)
            .map_err(|error| anyhow::anyhow!("{argument}: no JSON list of strings: {error}"));
    }
    Ok(if text.is_empty() { Vec::new() } else { vec![text.to_owned()] })
}

/// Sets the fields that are given.
fn merge(config: &mut Config, given: Config) {
    let lists = [
        (&mut config.entrypoint, given.entrypoint),
        (&mut config.cmd, given.cmd),
        (&mut config.exposed_ports, given.exposed_ports),
        (&mut config.volumes, given.volumes),
        (&mut config.shell, given.shell),
        (&mut config.on_build, given.on_build),
    ];
    for (field, given) in lists.into_iter().filter(|(_, given)| !given.is_empty()) {
        *field = given;
    }
    for variable in given.env {
        let name = variable.split('=').next().unwrap_or_default().to_owned();
        set_variable(&mut config.env, &name, &variable);
    }
    given.labels.iter().for_each(|(name, value)| set_label(&mut config.labels, name, value));
    let texts = [(&mut config.user, given.user), (&mut config.working_directory, given.working_directory)];
    for (field, given) in texts.into_iter().filter(|(_, given)| !given.is_empty()) {
        *field = given;
    }
    config.stop_signal = given.stop_signal.or(config.stop_signal.take());
    config.healthcheck = given.healthcheck.or(config.healthcheck.take());
}

fn set_variable(variables: &mut Vec<String>, name: &str, variable: &str) {
    match variables.iter_mut().find(|known| known.split('=').next() == Some(name)) {
        Some(known) => variable.clone_into(known),
        None => variables.push(variable.to_owned()),
    }
}

fn set_label(labels: &mut Vec<(String, String)>, name: &str, value: &str) {
    match labels.iter_mut().find(|(known, _)| known == name) {
        Some((_, known)) => value.clone_into(known),
        None => labels.push((name.to_owned(), value.to_owned())),
    }
}

fn add(list: &mut Vec<String>, text: String) {
    if !list.contains(&text) {
        list.push(text);
    }
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
    fn variables_and_labels_are_replaced_in_their_place() {
        let mut variables = vec!["PATH=/bin".to_owned(), "A=1".to_owned()];
        set_variable(&mut variables, "PATH", "PATH=/x");
        set_variable(&mut variables, "B", "B=2");
        assert_eq!(variables, ["PATH=/x", "A=1", "B=2"]);
    }
}
