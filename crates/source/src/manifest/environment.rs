use hashbrown::HashMap;

/// Variables of a `.env` file, as Compose reads it from the directory of a project.
///
/// Lines have the form `NAME=value`, optionally after `export`. A value may be quoted; in an unquoted value, a `#`
/// after a space begins a comment. Other lines are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvironmentFile {
    variables: HashMap<String, String>,
}

impl EnvironmentFile {
    /// Parses the text of the file.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self { variables: text.lines().filter_map(variable).collect() }
    }

    /// Returns the value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }
}

fn variable(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let (name, value) = line.split_once('=')?;
    let name = name.trim_end();
    let is_name = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    is_name.then(|| (name.to_owned(), unquoted(value.trim()).to_owned()))
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some((inside, _)) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inside;
        }
    }
    let comment = value.find(" #").or_else(|| value.starts_with('#').then_some(0));
    comment.and_then(|place| value.get(..place)).unwrap_or(value).trim_end()
}
