use super::search::{Follow, Search};
use super::{How, Reason, scripts};
use nixdive_image::NodeId;

/// Variables whose values are one or more paths that programs read.
const PATH_VARIABLES: [&str; 30] = [
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PERL5LIB",
    "NODE_PATH",
    "NODE_EXTRA_CA_CERTS",
    "JAVA_HOME",
    "JRE_HOME",
    "CLASSPATH",
    "GEM_PATH",
    "GEM_HOME",
    "BUNDLE_PATH",
    "RUBYLIB",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NIX_SSL_CERT_FILE",
    "OPENSSL_CONF",
    "OPENSSL_MODULES",
    "OPENSSL_ENGINES",
    "VIRTUAL_ENV",
    "LOCALE_ARCHIVE",
    "GCONV_PATH",
    "TERMINFO",
    "TZDIR",
];

/// Suffixes of variables that name a program's own directories.
const PLACES: [&str; 8] = ["_HOME", "_DIR", "_PATH", "_BASE", "_ROOT", "_PREFIX", "_CONF", "_CONFIG"];

/// Variables whose values are not followed.
const NO_PATHS: [&str; 4] = ["PATH", "HOME", "PWD", "MANPATH"];

/// Programs that start the program in their arguments.
const STARTERS: [&[u8]; 24] = [
    b"runuser",
    b"su",
    b"sudo",
    b"setsid",
    b"s6-setuidgid",
    b"with-contenv",
    b"tini",
    b"tini-static",
    b"dumb-init",
    b"catatonit",
    b"gosu",
    b"su-exec",
    b"setpriv",
    b"env",
    b"nice",
    b"ionice",
    b"chpst",
    b"s6-svscan",
    b"setuidgid",
    b"nohup",
    b"stdbuf",
    b"time",
    b"timeout",
    b"xvfb-run",
];

/// List of words in the configuration.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Entrypoint,
    Command,
    Healthcheck,
}

impl List {
    fn how(self, number: usize) -> How {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        match self {
            Self::Entrypoint => How::Entrypoint(number),
            Self::Command => How::Command(number),
            Self::Healthcheck => How::Healthcheck(number),
        }
    }
}

impl Search<'_> {
    /// Marks the files that the configuration names.
    pub(super) fn begin(&mut self, entrypoint: &[String], command: &[String]) {
        let config = self.config;
        let words = entrypoint.iter().enumerate().map(|(number, word)| (List::Entrypoint, number, word.as_str()));
        let rest = command.iter().enumerate().map(|(number, word)| (List::Command, number, word.as_str()));
        let words: Vec<(List, usize, &str)> = words.chain(rest).collect();
        self.start(&words);
        if let Some(healthcheck) = &config.healthcheck {
            self.healthcheck(&healthcheck.test);
        }
        self.variables();
        if !config.working_directory.is_empty() {
            let reason = Reason { from: None, how: How::WorkingDirectory };
            self.need_path(config.working_directory.as_bytes(), reason, Follow::Nothing);
        }
        for (number, volume) in config.volumes.iter().enumerate() {
            let reason = Reason { from: None, how: How::Volume(u32::try_from(number).unwrap_or(u32::MAX)) };
            if let Some(node) = self.need_path(volume.as_bytes(), reason, Follow::Nothing) {
                self.need_tree(node, reason, Follow::Programs, &|_, _| true);
            }
        }
    }

    fn healthcheck(&mut self, test: &[String]) {
        let Some((kind, words)) = test.split_first() else { return };
        match kind.as_str() {
            "CMD" => {
                let words: Vec<(List, usize, &str)> = words
                    .iter()
                    .enumerate()
                    .map(|(number, word)| (List::Healthcheck, number + 1, word.as_str()))
                    .collect();
                self.start(&words);
            }
            "CMD-SHELL" => {
                let shell = self.config.shell.first().map_or("/bin/sh", String::as_str);
                let mut all = vec![(List::Healthcheck, 0, shell), (List::Healthcheck, 0, "-c")];
                all.extend(
                    words.iter().enumerate().map(|(number, word)| (List::Healthcheck, number + 1, word.as_str())),
                );
                self.start(&all);
            }
            _ => {}
        }
    }

    /// Marks the programs that a list of words starts.
    fn start(&mut self, words: &[(List, usize, &str)]) {
        let Some(&(list, number, program)) = words.first() else { return };
        let Some(started) = self.start_program(list.how(number), program) else {
            self.miss(None, list.how(number), program.as_bytes());
            return;
        };
        let name = scripts::base_name(program.as_bytes()).to_vec();
        if scripts::is_shell(&name) {
            self.start_shell(started, words);
            return;
        }
        let mut starts_next = STARTERS.contains(&name.as_slice());
        let mut previous = "";
        for (position, &(list, number, word)) in words.iter().enumerate().skip(1) {
            let is_first_of_command = list == List::Command && number == 0;
            let is_option = word.starts_with('-');
            if !is_option
                && (starts_next || is_first_of_command || previous == "--")
                && self.start_program(list.how(number), word).is_some()
            {
                if scripts::is_shell(scripts::base_name(word.as_bytes())) {
                    self.start_shell(started, words.get(position..).unwrap_or_default());
                    return;
                }
                starts_next = STARTERS.contains(&scripts::base_name(word.as_bytes()));
            } else {
                self.argument(started, list.how(number), word);
                match previous {
                    "-m" => self.python_module(started, word.as_bytes()),
                    "-c" | "--command" if matches!(name.as_slice(), b"su" | b"runuser") => {
                        self.follow_shell(started, word.as_bytes(), list.how(number));
                    }
                    _ => {}
                }
            }
            previous = word;
        }
    }

    fn start_program(&mut self, how: How, word: &str) -> Option<NodeId> {
        let path = self.look_up(word.as_bytes())?;
        self.need_path(&path, Reason { from: None, how }, Follow::All)
    }

    /// Handles a shell with its arguments: a script file, or a script in an argument.
    fn start_shell(&mut self, shell: NodeId, words: &[(List, usize, &str)]) {
        let mut rest = words.iter().skip(1).peekable();
        let mut takes_script = false;
        while let Some(&&(list, number, word)) = rest.peek() {
            if !word.starts_with('-') && !word.starts_with('+') {
                break;
            }
            takes_script |= !word.starts_with("--") && word.ends_with('c');
            self.argument(shell, list.how(number), word);
            rest.next();
        }
        match rest.next() {
            Some(&(list, number, text)) if takes_script => self.follow_shell(shell, text.as_bytes(), list.how(number)),
            Some(&(list, number, path)) => {
                let reason = Reason { from: None, how: list.how(number) };
                if let Some(script) = self.need(self.working_directory, path.as_bytes(), reason, Follow::All) {
                    self.sourced.insert(script);
                }
            }
            None => self.doubt_shell(words.first().map_or("a shell", |&(_, _, word)| word)),
        }
        for &(list, number, word) in rest {
            self.argument(shell, list.how(number), word);
        }
    }

    /// Handles an argument that may be a path, or contain one after a separator.
    fn argument(&mut self, started: NodeId, how: How, word: &str) {
        let bytes = word.as_bytes();
        let reason = Reason { from: None, how };
        let is_file = |node: NodeId| !self.view.is_directory(node);
        let relative = !word.starts_with('-') && !word.is_empty() && word.len() < 4096;
        if relative && self.view.walk(self.working_directory, bytes).end.is_ok_and(is_file) {
            self.need(self.working_directory, bytes, reason, Follow::All);
            return;
        }
        for named in super::elf::absolute_paths(bytes) {
            self.named(started, &named, true);
        }
    }

    /// Marks the files that variables name.
    fn variables(&mut self) {
        let config = self.config;
        for (number, entry) in config.env.iter().enumerate() {
            let Some((name, value)) = entry.split_once('=') else { continue };
            let how = How::Environment(u32::try_from(number).unwrap_or(u32::MAX));
            let reason = Reason { from: None, how };
            if NO_PATHS.contains(&name) {
                continue;
            }
            let is_known = PATH_VARIABLES.contains(&name);
            for part in value.split([':', ' ']).filter(|part| part.starts_with('/')).take(1024) {
                let Some(node) = self.view.find(part.as_bytes()) else { continue };
                let path = self.view.tree.path(node);
                if !self.view.is_directory(node) {
                    self.need_path(part.as_bytes(), reason, Follow::All);
                } else if node != NodeId::ROOT && !super::places::is_shared_by_name(&path) {
                    self.need_path(part.as_bytes(), reason, Follow::Nothing);
                    if is_known || PLACES.iter().any(|end| name.ends_with(end)) {
                        self.need_tree(node, reason, Follow::All, &|_, _| true);
                    }
                }
            }
        }
    }
}
