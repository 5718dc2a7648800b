use std::collections::VecDeque;

use hashbrown::HashSet;

use super::lexer::{Lexer, Token, Variables, Word, is_name};

/// Maximum total length of nested scripts, bytes.
const MOST_BYTES: usize = 16 << 20;
/// Maximum number of nested scripts.
const MOST_SCRIPTS: usize = 20_000;
/// Maximum number of names of one kind.
const MOST_NAMES: usize = 10_000;

/// Result of analysing a script.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Script {
    /// Names and paths of commands, without duplicates and shell builtins.
    pub commands: Vec<Vec<u8>>,
    /// Paths of sourced scripts: `. file`.
    pub sourced: Vec<Vec<u8>>,
    /// Other words with a slash: arguments, files of redirections, values of variables.
    pub paths: Vec<Vec<u8>>,
    /// True if the script runs its own arguments as a command.
    pub runs_arguments: bool,
    /// Uncertainties of the script.
    pub doubts: Vec<&'static str>,
}

/// Analyses a script. `environment` contains variables that are set before it starts.
pub(in super::super) fn read(text: &[u8], environment: &[(Vec<u8>, Vec<u8>)]) -> Script {
    let mut reader = Reader { variables: environment.iter().cloned().collect(), ..Reader::default() };
    let mut texts: VecDeque<Vec<u8>> = [text.to_vec()].into();
    let (mut bytes, mut count) = (0usize, 0);
    while let Some(text) = texts.pop_front() {
        bytes = bytes.saturating_add(text.len());
        count += 1;
        if bytes > MOST_BYTES || count > MOST_SCRIPTS {
            reader.doubt("is nested too deeply to be analysed");
            break;
        }
        reader.text(&text);
        texts.extend(reader.inner.drain(..));
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    variables: Variables,
    functions: HashSet<Vec<u8>>,
    inner: Vec<Vec<u8>>,
    script: Script,
}

/// Position of the reader in a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the beginning of a command.
    Command,
    /// In the arguments of a command.
    Arguments,
    /// At the name after `for`, `select` or `function`.
    Name,
    /// After the variable of a loop: `in` and words.
    LoopWords,
    /// After `case`: its word, then `in`.
    CaseWord,
    /// At a pattern of a case.
    Pattern,
    /// Inside `[[ … ]]`.
    Condition,
}

/// Words that a shell handles itself. `[`, `echo` and others also exist as programs, but shells do not run those.
const BUILTINS: &[&[u8]] = &[
    b":",
    b".",
    b"[",
    b"alias",
    b"bg",
    b"bind",
    b"break",
    b"builtin",
    b"caller",
    b"cd",
    b"command",
    b"compgen",
    b"complete",
    b"continue",
    b"declare",
    b"dirs",
    b"disown",
    b"echo",
    b"enable",
    b"eval",
    b"exec",
    b"exit",
    b"export",
    b"false",
    b"fc",
    b"fg",
    b"getopts",
    b"hash",
    b"help",
    b"history",
    b"jobs",
    b"kill",
    b"let",
    b"local",
    b"logout",
    b"mapfile",
    b"popd",
    b"printf",
    b"pushd",
    b"pwd",
    b"read",
    b"readarray",
    b"readonly",
    b"return",
    b"set",
    b"shift",
    b"shopt",
    b"source",
    b"suspend",
    b"test",
    b"times",
    b"trap",
    b"true",
    b"type",
    b"typeset",
    b"ulimit",
    b"umask",
    b"unalias",
    b"unset",
    b"wait",
];

/// Commands that run the command after them, with the number of words in between.
const WRAPPERS: &[(&[u8], usize)] = &[
    (b"exec", 0),
    (b"command", 0),
    (b"builtin", 0),
    (b"env", 0),
    (b"nohup", 0),
    (b"nice", 0),
    (b"ionice", 0),
    (b"sudo", 0),
    (b"gosu", 1),
    (b"su-exec", 1),
    (b"setpriv", 0),
    (b"tini", 0),
    (b"dumb-init", 0),
    (b"xargs", 0),
    (b"timeout", 1),
    (b"chroot", 1),
    (b"setsid", 0),
    (b"stdbuf", 0),
    (b"unshare", 0),
    (b"time", 0),
    (b"catatonit", 0),
    (b"runuser", 1),
    (b"chpst", 0),
    (b"busybox", 0),
    (b"flock", 1),
    (b"watch", 0),
    (b"strace", 0),
    (b"faketime", 1),
    (b"s6-setuidgid", 1),
    (b"s6-envdir", 1),
    (b"s6-notifyoncheck", 0),
    (b"with-contenv", 0),
    (b"foreground", 0),
    (b"background", 0),
    (b"fdmove", 1),
];

/// State of one command.
#[derive(Default)]
struct Command {
    name: Vec<u8>,
    words: usize,
    /// Number of words to skip before the command that this one runs.
    wraps: Option<usize>,
    /// True if the previous word was `-c` or similar.
    takes_script: bool,
}

impl Reader {
    fn text(&mut self, text: &[u8]) {
        let mut lexer = Lexer::new(text);
        let mut place = Place::Command;
        let mut command = Command::default();
        let mut redirected = false;
        let mut previous: Option<Vec<u8>> = None;
        while let Some(token) = lexer.next(&self.variables) {
            match token {
                Token::Redirection => redirected = true,
                Token::CaseEnd => place = Place::Pattern,
                Token::Close if place == Place::Pattern => place = Place::Command,
                Token::Separator(b'(') if previous.is_some() && place == Place::Arguments && command.words == 0 => {
                    // Function definition, `name ( )`.
                    self.functions.extend(previous.take());
                    place = Place::Command;
                }
                Token::Separator(_) if place == Place::Pattern => {}
                Token::Separator(b'\n') if place == Place::CaseWord => {}
                Token::Separator(b'&' | b'|' | b'(') if place == Place::Condition => {}
                Token::Close if place == Place::Condition => {}
                Token::Close | Token::Separator(_) => {
                    place = Place::Command;
                    previous = None;
                    command = Command::default();
                }
                Token::Word(word) if redirected => {
                    redirected = false;
                    self.path(&word);
                }
                Token::Word(word) => {
                    previous = None;
                    place = match place {
                        Place::Command => {
                            command = Command::default();
                            let next = self.command(&word, &mut command);
                            if next == Place::Arguments && !word.is_unknown {
                                previous = Some(word.text);
                            }
                            next
                        }
                        Place::Arguments => {
                            self.argument(&word, &mut command);
                            Place::Arguments
                        }
                        Place::Name => {
                            self.functions.insert(word.text);
                            Place::LoopWords
                        }
                        Place::LoopWords => match word.text.as_slice() {
                            b"{" | b"do" if !word.is_quoted => Place::Command,
                            _ => {
                                self.path(&word);
                                Place::LoopWords
                            }
                        },
                        Place::CaseWord if word.text == b"in" && !word.is_quoted => Place::Pattern,
                        Place::CaseWord => Place::CaseWord,
                        Place::Pattern if word.text == b"esac" && !word.is_quoted => Place::Arguments,
                        Place::Pattern => Place::Pattern,
                        Place::Condition if word.text == b"]]" => Place::Arguments,
                        Place::Condition => {
                            self.path(&word);
                            Place::Condition
                        }
                    };
                }
            }
        }
        if lexer.is_broken {
            self.doubt("has an unbalanced quote or bracket");
        }
        self.inner.append(&mut lexer.inner);
    }

    /// Handles a word at the beginning of a command: a keyword, an assignment, or the command's name.
    fn command(&mut self, word: &Word, command: &mut Command) -> Place {
        if !word.is_quoted && !word.is_unknown {
            match word.text.as_slice() {
                b"if" | b"then" | b"elif" | b"else" | b"while" | b"until" | b"do" | b"!" | b"{" | b"time"
                | b"coproc" => {
                    return Place::Command;
                }
                b"fi" | b"done" | b"}" | b"esac" => return Place::Arguments,
                b"for" | b"select" | b"function" => return Place::Name,
                b"case" => return Place::CaseWord,
                b"[[" => return Place::Condition,
                _ => {}
            }
        }
        if self.assignment(word) {
            return Place::Command;
        }
        self.name(word, command);
        Place::Arguments
    }

    /// Handles `NAME=value`; returns `true` if the word is an assignment.
    fn assignment(&mut self, word: &Word) -> bool {
        let Some(equals) = memchr::memchr(b'=', &word.text) else { return false };
        let (name, value) = word.text.split_at(equals);
        let name = name.strip_suffix(b"+").unwrap_or(name);
        let name = name.split(|&byte| byte == b'[').next().unwrap_or_default();
        let is_assignment =
            name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_') && name.iter().all(is_name);
        if !is_assignment {
            return false;
        }
        let value = Word { text: value.get(1..).unwrap_or_default().to_vec(), ..word.clone() };
        self.path(&value);
        if value.is_unknown {
            self.variables.remove(name);
        } else if self.variables.len() < MOST_NAMES {
            self.variables.insert(name.to_vec(), value.text);
        }
        true
    }

    /// Handles the name of a command.
    fn name(&mut self, word: &Word, command: &mut Command) {
        if word.is_arguments && word.text.is_empty() {
            self.script.runs_arguments = true;
            return;
        }
        if word.is_unknown || word.text.is_empty() {
            if word.is_unknown {
                self.doubt("calls a command whose name is only known at run time");
            }
            return;
        }
        let base = word.text.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        command.name = base.to_vec();
        command.wraps = WRAPPERS.iter().find(|(name, _)| *name == base).map(|&(_, between)| between);
        if base == b"eval" {
            self.doubt("builds a command at run time (eval)");
        }
        if !BUILTINS.contains(&word.text.as_slice()) && self.script.commands.len() < MOST_NAMES {
            self.script.commands.push(word.text.clone());
        }
    }

    fn argument(&mut self, word: &Word, command: &mut Command) {
        command.words += 1;
        let is_option = word.text.first() == Some(&b'-') && !word.is_unknown;
        if std::mem::take(&mut command.takes_script) && !word.is_unknown {
            self.inner.push(word.text.clone());
            return;
        }
        match command.name.as_slice() {
            b"." | b"source" if command.words == 1 => {
                if word.is_unknown {
                    self.doubt("sources a script whose path is only known at run time");
                } else {
                    self.script.sourced.push(word.text.clone());
                }
                return;
            }
            b"eval" | b"trap" if !word.is_unknown && command.words == 1 && !is_option => {
                self.inner.push(word.text.clone());
                return;
            }
            b"export" | b"local" | b"readonly" | b"declare" | b"typeset" if self.assignment(word) => return,
            b"find" if matches!(word.text.as_slice(), b"-exec" | b"-execdir" | b"-ok") => {
                command.wraps = Some(0);
                return;
            }
            b"sh" | b"bash" | b"dash" | b"ash" | b"su" | b"zsh" | b"ksh" | b"runuser" | b"script" => {
                let short = is_option && !word.text.starts_with(b"--") && word.text.ends_with(b"c");
                if short || word.text == b"--command" {
                    command.takes_script = true;
                    return;
                }
            }
            _ => {}
        }
        if let Some(between) = command.wraps {
            if is_option || self.assignment(word) {
                return;
            }
            if between > 0 {
                command.wraps = Some(between - 1);
                return;
            }
            command.wraps = None;
            let mut inner = Command::default();
            self.name(word, &mut inner);
            *command = Command { words: 0, ..inner };
            return;
        }
        self.path(word);
    }

    /// Records a word that may be a path.
    fn path(&mut self, word: &Word) {
        if !word.is_unknown && word.text.contains(&b'/') && self.script.paths.len() < MOST_NAMES {
            self.script.paths.push(word.text.clone());
        }
    }

    fn doubt(&mut self, what: &'static str) {
        if !self.script.doubts.contains(&what) {
            self.script.doubts.push(what);
        }
    }

    fn finish(mut self) -> Script {
        let functions = self.functions;
        let mut seen = HashSet::new();
        self.script.commands.retain(|name| !functions.contains(name) && seen.insert(name.clone()));
        self.script
    }
}
