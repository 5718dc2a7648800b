use super::budget::{Budget, Growth, Require, Subject};
use super::dive::{DiveError, DiveRules, DiveThresholds};
use super::facts::Severity;
use super::metric::Metric;
use super::outcome::Unit;
use super::quantity::{parse_bytes, parse_percent};
use nixdive_base::glob::Glob;
use nixdive_base::yaml::{self, Node, Value};

/// An error in a rule file, with its line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {reason}")]
pub struct RuleFileError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// A sentence without a full stop.
    pub reason: String,
}

/// A thing and the place that asks for it; `None` for a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<T> {
    /// The thing.
    pub value: T,
    /// File and line.
    pub place: Option<(String, u32)>,
}

/// Effect on growth rules of a missing baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnMissingBaseline {
    /// They cannot be judged.
    #[default]
    Fail,
    /// They are passed over with a warning: the first run of a new image.
    Warn,
}

/// Rules on findings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FindingRules {
    /// Findings of this severity and above fail.
    pub fail: Option<Written<Severity>>,
    /// Findings with one of these ids fail.
    pub forbid: Vec<Written<String>>,
    /// Findings with one of these ids never fail.
    pub allow: Vec<Written<String>>,
}

impl FindingRules {
    /// Returns `true` if no rule is about findings, so that they need not be computed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fail.is_none() && self.forbid.is_empty()
    }
}

/// Contents of a rule file: `.dive-ci` or `.nixdive-ci`, YAML.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleFile {
    /// dive's rules; what is not written is as by default. `None` where the file has no `rules`.
    pub dive: Option<DiveRules>,
    /// `baseline: {image: …}` or `baseline: {file: …}`, as written, and its line.
    pub baseline: Option<(String, u32)>,
    /// `onMissingBaseline`.
    pub on_missing_baseline: Option<OnMissingBaseline>,
    /// `budgets`.
    pub budgets: Vec<Budget>,
    /// `forbid: {packages: …}`: subjects that must match nothing.
    pub forbidden_packages: Vec<Written<Subject>>,
    /// `forbid: {paths: …}`.
    pub forbidden_paths: Vec<Written<Glob>>,
    /// `forbid: {storePaths: …}`.
    pub forbidden_store_paths: Vec<Written<Glob>>,
    /// `findings`.
    pub findings: FindingRules,
    /// `strict`.
    pub strict: Option<bool>,
    /// Keys at the top that nobody knows, with their lines.
    pub unknown: Vec<(String, u32)>,
}

/// All rules, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// dive's.
    pub dive: DiveThresholds,
    /// Limits.
    pub budgets: Vec<Budget>,
    /// Packages that must not be there.
    pub forbidden_packages: Vec<Written<Subject>>,
    /// Paths that must not be there.
    pub forbidden_paths: Vec<Written<Glob>>,
    /// Store paths that must not be there.
    pub forbidden_store_paths: Vec<Written<Glob>>,
    /// Rules on findings.
    pub findings: FindingRules,
    /// Effect of a missing baseline.
    pub on_missing_baseline: OnMissingBaseline,
    /// True if warnings count as errors.
    pub strict: bool,
}

impl Configuration {
    /// No rules but dive's.
    ///
    /// # Errors
    /// [`DiveError`].
    pub fn new(dive: &DiveRules) -> Result<Self, DiveError> {
        Ok(Self {
            dive: dive.read()?,
            budgets: Vec::new(),
            forbidden_packages: Vec::new(),
            forbidden_paths: Vec::new(),
            forbidden_store_paths: Vec::new(),
            findings: FindingRules::default(),
            on_missing_baseline: OnMissingBaseline::default(),
            strict: false,
        })
    }

    /// Adds what a file asks for besides dive's rules.
    pub fn add(&mut self, file: RuleFile) {
        self.budgets.extend(file.budgets);
        self.forbidden_packages.extend(file.forbidden_packages);
        self.forbidden_paths.extend(file.forbidden_paths);
        self.forbidden_store_paths.extend(file.forbidden_store_paths);
        self.findings.fail = file.findings.fail.or(self.findings.fail.take());
        self.findings.forbid.extend(file.findings.forbid);
        self.findings.allow.extend(file.findings.allow);
        self.on_missing_baseline = file.on_missing_baseline.unwrap_or(self.on_missing_baseline);
        self.strict = file.strict.unwrap_or(self.strict);
    }
}

impl RuleFile {
    /// Reads a rule file. Errors refer to it as `name`, which must be safe to print. Unknown keys
    /// at the top level are returned separately, because dive ignores them; unknown keys anywhere
    /// below are errors.
    ///
    /// # Errors
    /// Reports the first problem in the file.
    pub fn parse(name: &str, text: &str) -> Result<Self, RuleFileError> {
        let mut reader = Reader { name, file: Self::default() };
        let documents = yaml::documents(text);
        let documents = documents.map_err(|error| reader.error(error.line, error.reason))?;
        match documents.into_iter().next() {
            None => {}
            Some(Node { value: Value::Scalar(text), .. }) if matches!(text.as_str(), "" | "~" | "null") => {}
            Some(node) => reader.top(&node)?,
        }
        Ok(reader.file)
    }
}

struct Reader<'n> {
    name: &'n str,
    file: RuleFile,
}

type Entries = [(String, u32, Node)];

impl Reader<'_> {
    fn error(&self, line: u32, reason: impl Into<String>) -> RuleFileError {
        RuleFileError { file: self.name.to_owned(), line, reason: reason.into() }
    }

    fn place(&self, line: u32) -> Option<(String, u32)> {
        Some((self.name.to_owned(), line))
    }

    fn top(&mut self, root: &Node) -> Result<(), RuleFileError> {
        for (key, line, node) in self.map(root, "the file")? {
            match key.as_str() {
                "rules" => self.dive(node)?,
                "baseline" => self.baseline(node)?,
                "onMissingBaseline" => {
                    self.file.on_missing_baseline = Some(match self.text(node)? {
                        "fail" => OnMissingBaseline::Fail,
                        "warn" => OnMissingBaseline::Warn,
                        _ => return Err(self.error(node.line, "invalid onMissingBaseline: expected fail or warn")),
                    });
                }
                "budgets" => {
                    for item in self.list(node, "budgets")? {
                        let budget = self.budget(item)?;
                        self.file.budgets.push(budget);
                    }
                }
                "forbid" => self.forbid(node)?,
                "findings" => self.findings(node)?,
                "strict" => self.file.strict = Some(self.boolean(node)?),
                _ => self.file.unknown.push((nixdive_base::text::display_in_sentence(key), *line)),
            }
        }
        Ok(())
    }

    /// dive reads its keys in camel case; newer versions also with dashes. Others it passes over.
    fn dive(&mut self, node: &Node) -> Result<(), RuleFileError> {
        let mut rules = DiveRules::default();
        for (key, line, node) in self.map(node, "rules")? {
            let plain: String = key.to_lowercase().chars().filter(|letter| !matches!(letter, '-' | '_')).collect();
            let value = match plain.as_str() {
                "lowestefficiency" | "lowestefficiencythreshold" => &mut rules.lowest_efficiency,
                "highestwastedbytes" => &mut rules.highest_wasted_bytes,
                "highestuserwastedpercent" => &mut rules.highest_user_wasted_percent,
                _ => {
                    self.file.unknown.push((format!("rules.{}", nixdive_base::text::display_in_sentence(key)), *line));
                    continue;
                }
            };
            *value = self.text(node)?.to_owned();
            rules.read().map_err(|error| self.error(node.line, error.to_string()))?;
        }
        self.file.dive = Some(rules);
        Ok(())
    }

    fn baseline(&mut self, node: &Node) -> Result<(), RuleFileError> {
        let mut named = Vec::new();
        for (key, line, node) in self.map(node, "baseline")? {
            match key.as_str() {
                "image" | "file" => named.push((self.text(node)?.to_owned(), node.line)),
                _ => return Err(self.unknown(key, *line, "image, file")),
            }
        }
        match <[(String, u32); 1]>::try_from(named) {
            Ok([baseline]) => self.file.baseline = Some(baseline),
            Err(_) => return Err(self.error(node.line, "invalid baseline: expected {image: …} or {file: …}")),
        }
        Ok(())
    }

    fn budget(&self, node: &Node) -> Result<Budget, RuleFileError> {
        const KEYS: &str = "metric, layer, path, package, storePath, max, grow, require";
        let (mut subject, mut max, mut grow, mut require) = (None, None, None, Require::All);
        for (key, line, node) in self.map(node, "a budget")? {
            match key.as_str() {
                "max" => max = Some(node),
                "grow" => grow = Some(node),
                "require" => {
                    require = match self.text(node)? {
                        "all" => Require::All,
                        "any" => Require::Any,
                        _ => return Err(self.error(node.line, "invalid require: expected all or any")),
                    };
                }
                "metric" | "layer" | "path" | "package" | "storePath" if subject.is_some() => {
                    return Err(self.error(*line, format!("`{key}`: a budget has only one subject")));
                }
                "metric" | "layer" | "path" | "package" | "storePath" => subject = Some(self.subject(key, node)?),
                _ => return Err(self.unknown(key, *line, KEYS)),
            }
        }
        let subject = subject.ok_or_else(|| {
            self.error(node.line, "a budget needs a subject: metric, layer, path, package or storePath")
        })?;
        let max = max.map(|node| self.amount(node, subject.unit())).transpose()?;
        if max.is_none() && grow.is_none() {
            return Err(self.error(node.line, "a budget needs a limit: max or grow"));
        }
        let grow = grow.map(|node| self.growth(node, subject.unit())).transpose()?;
        let grow = grow.map(|grow| Growth { require, ..grow });
        Ok(Budget { subject, max, grow, place: self.place(node.line) })
    }

    fn subject(&self, key: &str, node: &Node) -> Result<Subject, RuleFileError> {
        let text = self.text(node)?;
        let glob = || Glob::parse(text).map_err(|error| self.error(node.line, error.to_string()));
        Ok(match key {
            "metric" => Subject::Metric(Metric::parse(text).ok_or_else(|| {
                let names: Vec<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
                let text = nixdive_base::text::display_in_sentence(text);
                self.error(node.line, format!("unknown metric `{text}`; expected one of {}", names.join(", ")))
            })?),
            "layer" if matches!(text, "*" | "largest") => Subject::Layer(None),
            "layer" => Subject::Layer(Some(
                text.parse()
                    .map_err(|_| self.error(node.line, "invalid layer: expected a number from 0, or `largest`"))?,
            )),
            "path" => Subject::Path(glob()?),
            "package" => Subject::package(text).map_err(|reason| self.error(node.line, reason))?,
            _ => Subject::StorePath(glob()?),
        })
    }

    fn growth(&self, node: &Node, unit: Unit) -> Result<Growth, RuleFileError> {
        let mut growth = Growth::default();
        if let Value::Scalar(text) = &node.value {
            match text.trim().strip_suffix('%') {
                Some(number) => growth.percent = Some(self.percent(node, number)?),
                None => growth.amount = Some(self.amount(node, unit)?),
            }
            return Ok(growth);
        }
        for (key, line, node) in self.map(node, "grow")? {
            match key.as_str() {
                "bytes" if unit == Unit::Count => {
                    return Err(self.error(*line, "layers and files are counted: write count, or percent"));
                }
                "count" if unit != Unit::Count => {
                    return Err(self.error(*line, "this is measured in bytes: write bytes, or percent"));
                }
                "bytes" => growth.amount = Some(self.amount(node, Unit::Bytes)?),
                "count" => growth.amount = Some(self.amount(node, Unit::Count)?),
                "percent" => {
                    let text = self.text(node)?.trim();
                    growth.percent = Some(self.percent(node, text.strip_suffix('%').unwrap_or(text))?);
                }
                _ => return Err(self.unknown(key, *line, "bytes, count, percent")),
            }
        }
        if growth.amount.is_none() && growth.percent.is_none() {
            return Err(self.error(node.line, "grow needs a number of bytes or percent"));
        }
        Ok(growth)
    }

    fn forbid(&mut self, node: &Node) -> Result<(), RuleFileError> {
        for (key, line, node) in self.map(node, "forbid")? {
            if !matches!(key.as_str(), "packages" | "paths" | "storePaths") {
                return Err(self.unknown(key, *line, "packages, paths, storePaths"));
            }
            for item in self.list(node, key)? {
                let text = self.text(item)?;
                let place = self.place(item.line);
                if key == "packages" {
                    let value = Subject::package(text).map_err(|reason| self.error(item.line, reason))?;
                    self.file.forbidden_packages.push(Written { value, place });
                    continue;
                }
                let value = Glob::parse(text).map_err(|error| self.error(item.line, error.to_string()))?;
                let list =
                    if key == "paths" { &mut self.file.forbidden_paths } else { &mut self.file.forbidden_store_paths };
                list.push(Written { value, place });
            }
        }
        Ok(())
    }

    fn findings(&mut self, node: &Node) -> Result<(), RuleFileError> {
        for (key, line, node) in self.map(node, "findings")? {
            match key.as_str() {
                "fail" => {
                    let severity = Severity::parse(self.text(node)?).ok_or_else(|| {
                        self.error(node.line, "invalid severity: expected information, warning or problem")
                    })?;
                    self.file.findings.fail = Some(Written { value: severity, place: self.place(node.line) });
                }
                "forbid" | "allow" => {
                    for item in self.list(node, key)? {
                        let id = Written { value: self.text(item)?.to_owned(), place: self.place(item.line) };
                        let rules = &mut self.file.findings;
                        if key == "forbid" { rules.forbid.push(id) } else { rules.allow.push(id) }
                    }
                }
                _ => return Err(self.unknown(key, *line, "fail, forbid, allow")),
            }
        }
        Ok(())
    }

    fn unknown(&self, key: &str, line: u32, known: &str) -> RuleFileError {
        let key = nixdive_base::text::display_in_sentence(key);
        self.error(line, format!("unknown key `{key}`; expected one of {known}"))
    }

    fn map<'a>(&self, node: &'a Node, what: &str) -> Result<&'a Entries, RuleFileError> {
        match &node.value {
            Value::Map(entries) => Ok(entries),
            _ => Err(self.error(node.line, format!("{what}: expected keys with values"))),
        }
    }

    fn list<'a>(&self, node: &'a Node, what: &str) -> Result<&'a [Node], RuleFileError> {
        match &node.value {
            Value::List(items) => Ok(items),
            _ => Err(self.error(node.line, format!("{what}: expected a list"))),
        }
    }

    fn text<'a>(&self, node: &'a Node) -> Result<&'a str, RuleFileError> {
        match &node.value {
            Value::Scalar(text) => Ok(text),
            _ => Err(self.error(node.line, "expected a plain value")),
        }
    }

    fn boolean(&self, node: &Node) -> Result<bool, RuleFileError> {
        match self.text(node)? {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.error(node.line, "expected true or false")),
        }
    }

    fn percent(&self, node: &Node, number: &str) -> Result<f64, RuleFileError> {
        parse_percent(number).map_err(|error| self.error(node.line, error.to_string()))
    }

    fn amount(&self, node: &Node, unit: Unit) -> Result<u64, RuleFileError> {
        let text = self.text(node)?;
        if unit == Unit::Count {
            return text.trim().parse().map_err(|_| {
                let text = nixdive_base::text::display_in_sentence(text);
                self.error(
                    node.line,
                    format!("not a whole number: `{text}`; layers and files are counted without a unit"),
                )
            });
        }
        parse_bytes(text).map_err(|error| self.error(node.line, error.to_string()))
    }
}
