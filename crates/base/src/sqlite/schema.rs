//! Tables and their columns, as the statements that made them say.

use super::file::{Database, SqliteError};

/// Columns that a table may have (`SQLITE_MAX_COLUMN`'s default).
const MAX_COLUMNS: usize = 2000;

/// A table of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub(super) root: u32,
    /// The names of its columns in order, as written.
    pub columns: Vec<String>,
}

impl Table {
    /// The place of a column, by its name in any case.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.eq_ignore_ascii_case(name))
    }
}

impl Database<'_> {
    /// The table of that name, in any case; `None` where there is none.
    ///
    /// # Errors
    /// [`SqliteError`].
    pub fn table(&mut self, name: &str) -> Result<Option<Table>, SqliteError> {
        let mut found = None;
        self.walk(1, &mut |row| {
            let text = |column: usize| row.value(column)?.bytes();
            let is_it = text(0) == Some(b"table") && text(1).is_some_and(|it| it.eq_ignore_ascii_case(name.as_bytes()));
            let root = row.value(3).and_then(|value| u32::try_from(value.integer()?).ok());
            if let (true, None, Some(root)) = (is_it, &found, root) {
                found = Some(Table { root, columns: columns(text(4).unwrap_or_default()) });
            }
        })?;
        Ok(found)
    }
}

/// The names that begin the parts of a `CREATE TABLE` statement's list. Constraints of the table, which come last, count
/// as columns of their first word's name.
pub(super) fn columns(statement: &[u8]) -> Vec<String> {
    let statement = String::from_utf8_lossy(statement);
    let Some((_, list)) = statement.split_once('(') else { return Vec::new() };
    let mut names = Vec::new();
    let mut depth = 0usize;
    let mut name = Some(String::new());
    let mut letters = list.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '-' if letters.peek() == Some(&'-') => while letters.next().is_some_and(|letter| letter != '\n') {},
            '\'' | '"' | '`' => {
                let quoted: String = letters.by_ref().take_while(|&other| other != letter).collect();
                if let (0, Some(name)) = (depth, &mut name) {
                    name.push_str(&quoted);
                }
            }
            '(' => depth += 1,
            ')' if depth == 0 => break,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                names.extend(name.replace(String::new()).filter(|name| !name.is_empty()));
                if names.len() >= MAX_COLUMNS {
                    return names;
                }
            }
            letter if letter.is_whitespace() => {
                if let Some(done) = name.take_if(|name| !name.is_empty()) {
                    names.push(done);
                }
            }
            letter if depth == 0 => {
                if let Some(name) = &mut name {
                    name.push(letter);
                }
            }
            _ => {}
        }
    }
    names.extend(name.filter(|name| !name.is_empty()));
    names
}
