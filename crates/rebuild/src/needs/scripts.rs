use super::elf::absolute_paths;
use super::glob;
use super::linker::parent;
use super::places;
use super::search::{Follow, Search};
use super::shell;
use super::{How, Reason};
use nixdive_base::text::display_in_sentence;
use nixdive_image::NodeId;

/// Maximum number of words examined in one text.
const MOST_WORDS: usize = 100_000;
/// Length of the beginning of a script that must be text, bytes; self-extracting archives begin with text.
const SCRIPT_START: usize = 1024;
/// Maximum number of patterns followed in one text.
const MOST_PATTERNS: usize = 1000;

/// Shells whose scripts are analysed.
const SHELLS: [&[u8]; 10] =
    [b"sh", b"bash", b"dash", b"ash", b"zsh", b"ksh", b"mksh", b"busybox", b"with-contenv", b"execlineb"];

/// File extensions of configuration.
const CONFIGURATION: [&[u8]; 26] = [
    b".conf",
    b".cfg",
    b".cnf",
    b".ini",
    b".yaml",
    b".yml",
    b".toml",
    b".json",
    b".xml",
    b".env",
    b".properties",
    b".sh",
    b".rb",
    b".js",
    b".mjs",
    b".cjs",
    b".ts",
    b".php",
    b".pl",
    b".pm",
    b".py",
    b".lua",
    b".service",
    b".config",
    b".rules",
    b".pth",
];

/// Files that name shells for interactive logins.
const LISTS_OF_SHELLS: [&[u8]; 3] = [b"/etc/passwd", b"/etc/shells", b"/etc/adduser.conf"];

/// File extensions of programs in languages other than shell and Python.
const SOURCES: [&[u8]; 11] =
    [b".rb", b".js", b".mjs", b".cjs", b".ts", b".mts", b".php", b".pl", b".pm", b".cgi", b".lua"];

impl Search<'_> {
    /// Follows the needs of a script: its interpreter, the commands that it calls, and the paths that it names.
    pub(super) fn follow_script(&mut self, node: NodeId, text: &[u8]) {
        if text.iter().take(SCRIPT_START).any(|&byte| byte == 0) {
            let message =
                format!("{} begins with #! but is not text; the commands that it calls are unknown", self.shown(node));
            self.doubt(Some(node), message);
            self.needs.unreadable.push(node);
        }
        let line = text.get(2..).unwrap_or_default().split(|&byte| byte == b'\n').next().unwrap_or_default();
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let Some(program) = words.next() else { return };
        let reason = Reason { from: Some(node), how: How::Shebang };
        if self.need_path(program, reason, Follow::All).is_none() {
            self.miss(Some(node), How::Shebang, program);
            return;
        }
        let mut interpreter = base_name(program);
        if interpreter == b"env" {
            let named = words.find(|word| word.first() != Some(&b'-') && !word.contains(&b'='));
            let Some(named) = named else { return };
            match self.look_up(named) {
                Some(path) => {
                    self.need_path(&path, reason, Follow::All);
                }
                None => self.miss(Some(node), How::Shebang, named),
            }
            interpreter = base_name(named);
        }
        if SHELLS.contains(&interpreter) {
            self.follow_shell(node, text, How::ScriptCommand);
        } else {
            self.follow_source(node, text, interpreter);
        }
    }

    /// Follows the commands and paths in a shell script. `node` is the script, or the program that runs it.
    pub(super) fn follow_shell(&mut self, node: NodeId, text: &[u8], how: How) {
        let script = shell::read(text, &self.environment);
        let reason = Reason { from: Some(node), how };
        for command in &script.commands {
            if let Some(path) = self.look_up(command) {
                self.need_path(&path, reason, Follow::All);
            }
        }
        let directory = self.view.tree.parent(node).unwrap_or(NodeId::ROOT);
        for path in &script.sourced {
            if let Some(sourced) = self.need(directory, path, reason, Follow::All) {
                self.sourced.insert(sourced);
            }
        }
        for path in script.paths.iter().filter(|path| path.first() == Some(&b'/')) {
            self.named_word(node, path);
        }
        self.named_from_variables(node, text);
        self.named_in_lines(node, text);
        for doubt in script.doubts {
            let message = format!("{} {doubt}", self.shown(node));
            self.doubt(Some(node), message);
        }
    }

    /// Follows the paths in a text that is not a script, depending on its type.
    pub(super) fn follow_text(&mut self, node: NodeId, text: &[u8]) {
        let name = self.view.tree.name(node);
        if self.sourced.contains(&node) || name.ends_with(b".sh") {
            self.follow_shell(node, text, How::ScriptCommand);
            return;
        }
        if name.ends_with(b".py") {
            self.follow_source(node, text, b"python3");
            return;
        }
        let path = self.view.tree.path(node);
        if LISTS_OF_SHELLS.contains(&path.as_slice()) {
            return;
        }
        let is_configuration =
            path.starts_with(b"/etc/") || !name.contains(&b'.') || CONFIGURATION.iter().any(|end| name.ends_with(end));
        if is_configuration {
            self.named_in_lines(node, text);
            self.named_beside(node, text);
            self.follow_settings(node, text);
        }
        if SOURCES.iter().any(|end| name.ends_with(end)) {
            self.follow_other_calls(node, text, b"");
        }
    }

    /// Follows the needs of a program in another language, besides its interpreter.
    fn follow_source(&mut self, node: NodeId, text: &[u8], interpreter: &[u8]) {
        self.named_in_lines(node, text);
        if interpreter.starts_with(b"python") || interpreter.starts_with(b"pypy") {
            self.follow_python(node, text);
        } else {
            self.follow_quoted_commands(node, text);
            self.follow_other_calls(node, text, interpreter);
        }
    }

    /// Keeps programs whose names are in quotes, which Perl and Ruby start without a shell.
    fn follow_quoted_commands(&mut self, node: NodeId, text: &[u8]) {
        let reason = Reason { from: Some(node), how: How::ScriptCommand };
        let is_name = |word: &&[u8]| {
            let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._".contains(byte);
            !word.is_empty() && word.iter().all(is_letter)
        };
        let quoted = text.split(|&byte| b"'\"".contains(&byte)).filter(is_name);
        for name in quoted.take(MOST_WORDS) {
            if let Some(path) = self.look_up(name) {
                self.need_path(&path, reason, Follow::All);
            }
        }
    }

    /// Follows the absolute paths in a text, except in comments.
    fn named_in_lines(&mut self, node: NodeId, text: &[u8]) {
        let is_comment = |line: &&[u8]| {
            let line = line.trim_ascii_start();
            line.starts_with(b"#") && !line.starts_with(b"#!") || line.starts_with(b";") || line.starts_with(b"//")
        };
        let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').filter(|line| !is_comment(line)).collect();
        let kept = lines.join(&b'\n');
        let is_absolute = |word: &&[u8]| word.first() == Some(&b'/') && glob::is_pattern(word);
        let patterns: Vec<&[u8]> = words(&kept).filter(is_absolute).take(MOST_PATTERNS).collect();
        for named in absolute_paths(&kept) {
            // The beginning of a pattern: its matches are known exactly.
            if !named.is_prefix || patterns.iter().all(|pattern| !pattern.starts_with(&named.path)) {
                self.named(node, &named, true);
            }
        }
        for pattern in patterns {
            self.named_pattern(node, pattern);
        }
    }

    fn named_word(&mut self, node: NodeId, path: &[u8]) {
        if glob::is_pattern(path) {
            self.named_pattern(node, path);
        } else {
            let named = super::elf::Named { path: path.into(), is_prefix: false, is_value: false };
            self.named(node, &named, true);
        }
    }

    /// Follows a pattern, unless it is only a system directory and a star.
    fn named_pattern(&mut self, node: NodeId, pattern: &[u8]) {
        let directory = parent(pattern).unwrap_or_default();
        if glob::is_pattern(directory)
            || directory.is_empty()
            || self.view.find(directory).is_none_or(|node| {
                let path = self.view.tree.path(node);
                places::is_shared(&path) || node == NodeId::ROOT
            })
        {
            return;
        }
        let view = self.view;
        for found in glob::expand(view, pattern) {
            let path = view.tree.path(found);
            let named = super::elf::Named { path: path.into(), is_prefix: false, is_value: false };
            self.named(node, &named, true);
        }
    }

    /// Follows files next to a configuration file that it names without a directory: `include mime.types;`.
    fn named_beside(&mut self, node: NodeId, text: &[u8]) {
        let Some(directory) = self.view.tree.parent(node).filter(|&directory| directory != NodeId::ROOT) else {
            return;
        };
        let view = self.view;
        let plausible = |word: &&[u8]| {
            word.len() < 200
                && word.iter().any(|byte| b"./".contains(byte))
                && word.first() != Some(&b'/')
                && !word.starts_with(b"..")
        };
        for word in words(text).filter(plausible).take(MOST_WORDS) {
            let there = view.walk(directory, word).end;
            if there.is_ok_and(|found| matches!(view.at(found), super::view::At::File(_)) && found != node) {
                let reason = Reason { from: Some(node), how: How::NamedPath };
                self.need(directory, word, reason, Follow::All);
            }
        }
    }

    /// Records that a word of the configuration starts a shell with unknown input.
    pub(super) fn doubt_shell(&mut self, word: &str) {
        let message = format!(
            "{} is started without a script; the commands that it will run are unknown",
            display_in_sentence(word)
        );
        self.doubt(None, message);
    }
}

/// Returns the last component of a path.
pub(super) fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

/// Returns `true` if a program is a shell, by its name.
pub(super) fn is_shell(name: &[u8]) -> bool {
    SHELLS.contains(&name)
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| byte.is_ascii_whitespace() || b"\"'`;,=()<>{}|&".contains(byte)).filter(|word| !word.is_empty())
}
