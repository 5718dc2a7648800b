//! Commands in configuration files of supervisors and of `npm`.

use super::search::{Follow, Search};
use super::{How, Reason, shell};
use nixdive_image::NodeId;

/// Maximum number of lines examined in one text.
const MOST_LINES: usize = 10_000;
/// Maximum number of commands in one `package.json`.
const MOST_SCRIPTS: usize = 1000;
/// Programs that run the scripts of a `package.json`.
const RUNNERS: [&[u8]; 4] = [b"npm", b"yarn", b"pnpm", b"bun"];

impl Search<'_> {
    /// Follows commands in a configuration file that only `PATH` resolves: `command = …` of supervisord, circus and
    /// similar programs, the lines of a `Procfile`, the scripts of a `package.json`.
    pub(super) fn follow_settings(&mut self, node: NodeId, text: &[u8]) {
        match self.view.tree.name(node) {
            b"package.json" => self.follow_package_scripts(node, text),
            name => {
                for command in commands(text, name == b"Procfile") {
                    self.follow_command_line(node, command);
                }
            }
        }
    }

    /// Follows the scripts of a JavaScript application, if a program to run them is needed.
    fn follow_package_scripts(&mut self, node: NodeId, text: &[u8]) {
        let is_installed = memchr::memmem::find(&self.view.tree.path(node), b"/node_modules/").is_some();
        let is_run = || {
            let mut runners = RUNNERS.iter().filter_map(|name| self.view.find(&self.look_up(name)?));
            runners.any(|runner| self.is_needed(runner))
        };
        if is_installed || !is_run() {
            return;
        }
        let Ok(serde_json::Value::Object(package)) = serde_json::from_slice(text) else { return };
        let scripts = package.get("scripts").and_then(serde_json::Value::as_object);
        for script in scripts.into_iter().flat_map(serde_json::Map::values).take(MOST_SCRIPTS) {
            self.follow_command_line(node, script.as_str().unwrap_or_default().as_bytes());
        }
    }

    fn follow_command_line(&mut self, node: NodeId, line: &[u8]) {
        let reason = Reason { from: Some(node), how: How::ScriptCommand };
        for command in shell::read(line, &self.environment).commands {
            if let Some(path) = self.look_up(&command) {
                self.need_path(&path, reason, Follow::All);
            }
        }
    }
}

/// Returns the values of settings that are commands; with `all`, as in a `Procfile`, of every setting.
pub(super) fn commands(text: &[u8], all: bool) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').take(MOST_LINES).filter_map(move |line| {
        let at = line.iter().position(|byte| b"=:".contains(byte))?;
        let name = line.get(..at)?.trim_ascii();
        let name = name.strip_prefix(b"- ").unwrap_or(name).trim_ascii();
        let value = line.get(at + 1..)?.trim_ascii();
        let is_command = all || matches!(name, b"command" | b"cmd" | b"entrypoint");
        (is_command && !name.starts_with(b"#") && !name.starts_with(b";") && !value.is_empty()).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::commands;

    #[test]
    fn commands_are_distinguished_from_other_settings() {
        let text = b"[program:web]\ncommand=nginx -g 'daemon off;'\n;command=no\n# cmd: no\n  - cmd : worker\nuser=x\n";
        let found: Vec<&[u8]> = commands(text, false).collect();
        assert_eq!(found, [&b"nginx -g 'daemon off;'"[..], b"worker"]);
        let all: Vec<&[u8]> = commands(b"web: gunicorn app:app\n", true).collect();
        assert_eq!(all, [b"gunicorn app:app"]);
    }
}
