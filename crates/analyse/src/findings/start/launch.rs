use std::collections::VecDeque;

use hashbrown::HashSet;

use super::super::secrets::redacted;
use super::super::{Location, Rule};
use super::may_be_mounted;
use super::program::{Machine, Program};
use nixdive_base::text::display_in_sentence;
use nixdive_image::{Image, Kind, LayerIndex, NodeId, OccurrenceId, Resolution};

/// Files that are followed from one configuration.
const MOST_FOLLOWED: usize = 1000;
/// Default `PATH` of engines, used if the configuration sets none.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Words of one text of a shell that are looked at.
const MOST_WORDS: usize = 1000;

/// Something that keeps what is started from starting. Texts are safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartProblem {
    /// The rule that it breaks.
    pub rule: Rule,
    /// Location of the problem.
    pub location: Location,
    /// A sentence.
    pub title: String,
    /// Short note on the part concerned.
    pub note: String,
}

/// The command of the configuration, followed through links, first lines of scripts, interpreters
/// and wrappers.
pub struct Launch<'a> {
    image: &'a Image,
    top: LayerIndex,
    program: &'a dyn Fn(OccurrenceId) -> Option<Program>,
    path: Vec<&'a str>,
    working_directory: Vec<u8>,
    queue: VecDeque<NodeId>,
    /// Files that are executed, interpreters among them.
    pub executed: HashSet<NodeId>,
    /// The file that is started first, links followed, with its entry.
    pub first: Option<(NodeId, OccurrenceId)>,
    /// The first program that is not a script, with the machine it runs on.
    pub machine: Option<(NodeId, OccurrenceId, Machine)>,
    /// True if any started program has an interpreter, so that it is not a single static program.
    pub is_dynamic: bool,
    /// Problems found on the way.
    pub problems: Vec<StartProblem>,
}

impl<'a> Launch<'a> {
    pub(super) fn follow(
        image: &'a Image,
        top: LayerIndex,
        program: &'a dyn Fn(OccurrenceId) -> Option<Program>,
    ) -> Self {
        let config = &image.config;
        let path = config.env.iter().rev().find_map(|variable| variable.strip_prefix("PATH=")).unwrap_or(USUAL_PATH);
        let mut launch = Self {
            image,
            top,
            program,
            path: path.split(':').take(256).collect(),
            working_directory: config.working_directory.as_bytes().to_vec(),
            queue: VecDeque::new(),
            executed: HashSet::new(),
            first: None,
            machine: None,
            is_dynamic: false,
            problems: Vec::new(),
        };
        let words: Vec<&str> = config.entrypoint.iter().chain(&config.cmd).map(String::as_str).collect();
        launch.start(&words);
        launch.drain(true);
        let health = config.healthcheck.as_ref().map_or(&[][..], |check| &check.test);
        match health.split_first().map(|(kind, rest)| (kind.as_str(), rest)) {
            Some(("CMD", rest)) => rest.iter().for_each(|word| launch.word(word.as_bytes())),
            Some(("CMD-SHELL", rest)) => rest.iter().for_each(|text| launch.text(text)),
            _ => {}
        }
        launch.drain(false);
        launch
    }

    /// Returns `true` if the configuration starts anything.
    #[must_use]
    pub fn starts(&self) -> bool {
        !self.image.config.entrypoint.is_empty() || !self.image.config.cmd.is_empty()
    }

    fn start(&mut self, words: &[&str]) {
        let Some((&program, rest)) = words.split_first() else { return };
        let field = if self.image.config.entrypoint.is_empty() { "cmd" } else { "entrypoint" };
        match self.look_up(program.as_bytes()) {
            Ok(node) => self.first_program(node, program),
            Err(missing) if program.is_empty() || may_be_mounted(self.image, &missing) => {}
            Err(_) => {
                let shown = shown(program);
                let title = format!("the configuration starts {shown}, which the image does not have");
                let note = match program.contains('/') {
                    true => format!("{shown} does not exist"),
                    false => format!("{shown} is not in PATH"),
                };
                self.problem(Rule::StartMissing, Location::Field(field), title, note);
            }
        }
        for word in rest {
            self.word(word.as_bytes());
            // The text of a shell's `-c`.
            if word.contains([' ', ';', '&', '|']) {
                self.text(word);
            }
        }
    }

    fn first_program(&mut self, node: NodeId, word: &str) {
        let Some(id) = self.content(node) else {
            let location = Location::Path { node, occurrence: None, layer: None, offset: None };
            let title = format!("the configuration starts {}, which is not a file", shown(word));
            self.problem(Rule::StartMissing, location, title, "not a file".to_owned());
            return;
        };
        self.first = Some((node, id));
        if self.image.tree.occurrence(id).mode() & 0o111 == 0 {
            let title = format!("the configuration starts {}, which is not executable", shown(word));
            self.problem(Rule::StartMissing, self.location(node, id), title, "not executable".to_owned());
        }
        self.push(node);
    }

    /// A word that may name a program or a script.
    fn word(&mut self, word: &[u8]) {
        let is_option = word.first() == Some(&b'-');
        if let Ok(node) = self.look_up(word)
            && !is_option
        {
            self.push(node);
        }
    }

    /// Follows the text of a shell command.
    fn text(&mut self, text: &str) {
        let words = text.split(|letter: char| letter.is_whitespace() || ";&|()\"'`".contains(letter));
        for word in words.filter(|word| !word.is_empty()).take(MOST_WORDS) {
            self.word(word.as_bytes());
        }
    }

    /// Follows what is in the queue. Only of what `is_needed` to start it is said that something is missing.
    fn drain(&mut self, is_needed: bool) {
        while let Some(node) = self.queue.pop_front() {
            let Some(id) = self.content(node) else { continue };
            match (self.program)(id) {
                Some(Program::Elf { machine, interpreter, executes }) => {
                    self.machine.get_or_insert((node, id, machine));
                    if let Some(interpreter) = interpreter {
                        self.is_dynamic = true;
                        self.interpreter(node, id, &interpreter, is_needed);
                    }
                    executes.iter().for_each(|word| self.word(word));
                }
                Some(Program::Script { line, executes }) => {
                    self.is_dynamic = true;
                    self.first_line(node, id, &line, is_needed);
                    executes.iter().for_each(|word| self.word(word));
                }
                None => {}
            }
        }
    }

    fn first_line(&mut self, node: NodeId, id: OccurrenceId, line: &[Box<[u8]>], is_needed: bool) {
        let Some((program, rest)) = line.split_first() else { return };
        self.interpreter(node, id, program, is_needed);
        let is_env = program.rsplit(|&byte| byte == b'/').next() == Some(b"env");
        let named = rest.iter().find(|word| word.first() != Some(&b'-') && !word.contains(&b'='));
        if let Some(named) = named.filter(|_| is_env) {
            self.interpreter(node, id, named, is_needed);
        }
    }

    /// An interpreter that a program or script asks for.
    fn interpreter(&mut self, node: NodeId, id: OccurrenceId, name: &[u8], is_needed: bool) {
        match self.look_up(name) {
            Ok(found) => self.push(found),
            // Only what is started for certain cannot do without; a library names a linker and need not be run.
            Err(missing) if is_needed && self.is_certain(node) && !may_be_mounted(self.image, &missing) => {
                let interpreter = display_in_sentence(&String::from_utf8_lossy(name));
                let path = display_in_sentence(&String::from_utf8_lossy(&self.image.tree.path(node)));
                let title = format!("{path} needs the interpreter {interpreter}, which the image does not have");
                let note = format!("{interpreter} does not exist");
                self.problem(Rule::InterpreterMissing, self.location(node, id), title, note);
            }
            Err(_) => {}
        }
    }

    /// Returns `true` if a file is the started program, or one of the interpreters it needs.
    fn is_certain(&self, node: NodeId) -> bool {
        self.first.is_some_and(|(first, _)| first == node)
    }

    fn problem(&mut self, rule: Rule, location: Location, title: String, note: String) {
        self.problems.push(StartProblem { rule, location, title, note });
    }

    fn push(&mut self, node: NodeId) {
        if self.executed.len() < MOST_FOLLOWED && self.content(node).is_some() && self.executed.insert(node) {
            self.queue.push_back(node);
        }
    }

    fn location(&self, node: NodeId, id: OccurrenceId) -> Location {
        let layer = Some(self.image.tree.occurrence(id).layer);
        Location::Path { node, occurrence: Some(id), layer, offset: None }
    }

    /// The entry with a file's content; `None` for a directory or what leads nowhere.
    fn content(&self, node: NodeId) -> Option<OccurrenceId> {
        let tree = &self.image.tree;
        let id = tree.visible_at(node, self.top)?;
        let id = tree.linked(id).unwrap_or(id);
        (tree.occurrence(id).kind == Kind::File).then_some(id)
    }

    /// Finds a program as an engine does: a name in `PATH`, a path from the working directory. An error is the path that
    /// is missing.
    fn look_up(&self, name: &[u8]) -> Result<NodeId, Vec<u8>> {
        if name.is_empty() || name.len() > 4096 {
            return Err(name.to_vec());
        }
        if name.contains(&b'/') {
            return self.resolve(&self.absolute(name));
        }
        let candidates = self.path.iter().map(|directory| [directory.as_bytes(), b"/", name].concat());
        let is_program = |&node: &NodeId| {
            let content = self.content(node);
            content.is_some_and(|id| self.image.tree.occurrence(id).mode() & 0o111 != 0)
        };
        let mut mounted = None;
        for path in candidates.map(|path| self.absolute(&path)) {
            match self.resolve(&path) {
                Ok(node) if is_program(&node) => return Ok(node),
                Err(missing) if may_be_mounted(self.image, &missing) => mounted = Some(missing),
                _ => {}
            }
        }
        Err(mounted.unwrap_or_else(|| name.to_vec()))
    }

    fn absolute(&self, name: &[u8]) -> Vec<u8> {
        if name.first() == Some(&b'/') { name.to_vec() } else { [&self.working_directory, &b"/"[..], name].concat() }
    }

    fn resolve(&self, path: &[u8]) -> Result<NodeId, Vec<u8>> {
        match self.image.tree.resolve(path, self.top, true) {
            Resolution::Found { node, .. } => Ok(node),
            Resolution::Missing { path, .. } => Err(path),
            Resolution::TooManyLinks => Err(path.to_vec()),
        }
    }
}

/// A word of the configuration, safe to show and without secrets.
fn shown(word: &str) -> String {
    display_in_sentence(&redacted(word))
}
