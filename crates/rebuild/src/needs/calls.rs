//! Commands started by programs in scripting languages, if they are literals at the call.

use super::search::{Follow, Search};
use super::{How, Reason, shell};
use nixdive_image::NodeId;

/// Maximum number of calls examined in one text.
const MOST_CALLS: usize = 10_000;
/// Maximum length of a command, bytes.
const MOST_COMMAND: usize = 4096;

/// Python functions that start programs: `subprocess`, `os`, `asyncio`, `shutil.which`.
pub(super) const PYTHON: &[&str] =
    &["run", "call", "check_call", "check_output", "Popen", "system", "popen", "create_subprocess_exec", "which"];

/// Functions of other languages that start programs: `child_process` and `execa` of JavaScript; `system`, `exec`,
/// `IO.popen` and `Open3` of Ruby; those of Perl, PHP and Lua.
pub(super) const OTHERS: &[&str] = &[
    "exec",
    "execSync",
    "execFile",
    "execFileSync",
    "spawn",
    "spawnSync",
    "execa",
    "execaSync",
    "execaCommand",
    "system",
    "popen",
    "capture2",
    "capture2e",
    "capture3",
    "popen2",
    "popen2e",
    "popen3",
    "shell_exec",
    "passthru",
    "proc_open",
    "execute",
];

/// File extensions of languages with commands in backticks.
const WITH_BACKTICKS: [&[u8]; 5] = [b".rb", b".pl", b".pm", b".php", b".cgi"];

impl Search<'_> {
    /// Keeps the programs that a text starts through `calls`.
    pub(super) fn follow_calls(&mut self, node: NodeId, text: &[u8], calls: &[&str]) {
        self.follow_commands(node, started(text, calls));
    }

    /// Keeps the programs that a text in a language other than Python starts. If `interpreter` is empty, the file name
    /// determines the language.
    pub(super) fn follow_other_calls(&mut self, node: NodeId, text: &[u8], interpreter: &[u8]) {
        self.follow_calls(node, text, OTHERS);
        let name = self.view.tree.name(node);
        let has_backticks = WITH_BACKTICKS.iter().any(|end| name.ends_with(end))
            || [&b"perl"[..], b"ruby", b"php"].iter().any(|language| interpreter.starts_with(language));
        if has_backticks {
            self.follow_commands(node, between_backticks(text));
        }
    }

    fn follow_commands(&mut self, node: NodeId, commands: Vec<&[u8]>) {
        let reason = Reason { from: Some(node), how: How::ScriptCommand };
        for text in commands {
            for command in shell::read(text, &self.environment).commands {
                if let Some(path) = self.look_up(&command) {
                    self.need_path(&path, reason, Follow::All);
                }
            }
        }
    }
}

/// Returns the string literals that are the first argument of the given calls, with or without parentheses.
pub(super) fn started<'a>(text: &'a [u8], calls: &[&str]) -> Vec<&'a [u8]> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let mut found = Vec::new();
    for call in calls {
        for at in memchr::memmem::find_iter(text, call).take(MOST_CALLS) {
            let is_inside = at.checked_sub(1).and_then(|before| text.get(before)).is_some_and(is_word);
            let behind = text.get(at + call.len()..).unwrap_or_default();
            if !is_inside && !behind.first().is_some_and(is_word) {
                found.extend(first_literal(behind));
            }
        }
    }
    found
}

/// Returns the next string literal, after at most an opening parenthesis and bracket.
fn first_literal(text: &[u8]) -> Option<&[u8]> {
    let text = text.trim_ascii_start();
    let text = text.strip_prefix(b"(").unwrap_or(text).trim_ascii_start();
    let text = text.strip_prefix(b"[").unwrap_or(text).trim_ascii_start();
    let (&quote, rest) = text.split_first()?;
    let rest = rest.get(..rest.len().min(MOST_COMMAND))?;
    matches!(quote, b'"' | b'\'' | b'`').then_some(())?;
    rest.get(..memchr::memchr(quote, rest)?).filter(|literal| !literal.is_empty())
}

/// Returns the text between backticks, or after `qx` and `%x`, in lines that are not comments.
pub(super) fn between_backticks(text: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    for line in text.split(|&byte| byte == b'\n') {
        let start = line.trim_ascii_start();
        if [&b"#"[..], b"//", b"*", b"=", b"/*"].iter().any(|sign| start.starts_with(sign)) {
            continue;
        }
        found.extend(line.split(|&byte| byte == b'`').skip(1).step_by(2));
        for sign in [&b"qx"[..], b"%x"] {
            for at in memchr::memmem::find_iter(line, sign) {
                found.extend(bracketed(line.get(at + sign.len()..).unwrap_or_default()));
            }
        }
        if found.len() > MOST_CALLS {
            break;
        }
    }
    found.retain(|command| !command.is_empty() && command.len() <= MOST_COMMAND);
    found
}

/// Returns the text between brackets, or between two equal delimiters.
fn bracketed(text: &[u8]) -> Option<&[u8]> {
    let (&open, rest) = text.split_first()?;
    let close = match open {
        b'(' => b')',
        b'{' => b'}',
        b'[' => b']',
        b'<' => b'>',
        b'/' | b'!' | b'|' | b'"' | b'\'' => open,
        _ => return None,
    };
    rest.get(..memchr::memchr(close, rest)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(found: Vec<&[u8]>) -> Vec<String> {
        let mut shown: Vec<String> = found.into_iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
        shown.sort();
        shown
    }

    #[test]
    fn commands_of_python_are_found() {
        let text = b"subprocess.run([\"git\", x]); os.system('ls -l / | wc')\nsubprocess.Popen(args)\nshutil.which(\"sh\")\nrerun('no')";
        assert_eq!(shown(started(text, PYTHON)), ["git", "ls -l / | wc", "sh"]);
    }

    #[test]
    fn commands_of_other_languages_are_found() {
        let text = b"exec('ls /app | head', f); cp.execFileSync( \"git\", ['log']); spawn(`convert`, a)\n\
            system \"date -u\"\n my_system('no'); executes('no'); Open3.capture2e(['tar', 'x'])";
        let expected = ["convert", "date -u", "git", "ls /app | head", "tar"];
        assert_eq!(shown(started(text, OTHERS)), expected);
    }

    #[test]
    fn commands_between_backticks_are_found_where_they_are_no_comments() {
        let text =
            b"# as `sort` does\nprint `date -u`, qx{id -u}; x = %x(hostname)\n$y = qx/uname/;\nqx ; 100%x\n`open";
        assert_eq!(shown(between_backticks(text)), ["date -u", "hostname", "id -u", "open", "uname"]);
    }
}
