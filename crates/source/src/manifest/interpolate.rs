/// A text with its variables replaced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Filled {
    pub text: String,
    /// Variables that are unset and have no default, in order.
    pub unset: Vec<String>,
}

/// Reason why variables of a text cannot be replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum InterpolationError {
    /// `${` that is not closed, or is not followed by a name.
    #[error("`{}` is not a variable; write `$$` for a dollar sign", nixdive_base::text::display_in_sentence(.0))]
    NotAVariable(String),
    /// `${NAME:?reason}`.
    #[error("the variable `{}` must be set{}", nixdive_base::text::display_in_sentence(.0), reason(.1))]
    Required(String, String),
    /// Defaults nested too deeply.
    #[error("variables are nested too deeply")]
    TooDeep,
}

fn reason(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {}", nixdive_base::text::display_in_sentence(text)) }
}

/// Maximum depth of nested defaults: `${A:-${B:-c}}` has depth two.
const MAX_DEPTH: usize = 8;

/// Replaces `$NAME`, `${NAME}`, and the forms `:-`, `-`, `:?`, `?`, `:+` and `+` of the Compose specification.
///
/// # Errors
/// [`InterpolationError`] if a variable is malformed, required but unset, or nested too deeply.
pub(super) fn interpolate(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Filled, InterpolationError> {
    let mut filled = Filled::default();
    fill(text, variable, 0, &mut filled)?;
    Ok(filled)
}

fn fill(
    text: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    depth: usize,
    filled: &mut Filled,
) -> Result<(), InterpolationError> {
    if depth > MAX_DEPTH {
        return Err(InterpolationError::TooDeep);
    }
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        let (before, from) = rest.split_at(dollar);
        filled.text.push_str(before);
        let not_a_variable = || InterpolationError::NotAVariable(from.chars().take(40).collect());
        let behind = from.get(1..).unwrap_or_default();
        if let Some(after) = behind.strip_prefix('$') {
            filled.text.push('$');
            rest = after;
        } else if let Some(inner) = behind.strip_prefix('{') {
            let end = end_of_braces(inner).ok_or_else(not_a_variable)?;
            let (inside, after) = inner.split_at(end);
            braces(inside, variable, depth, filled, &not_a_variable)?;
            rest = after.strip_prefix('}').unwrap_or(after);
        } else {
            let name = name_of(behind);
            if name.is_empty() {
                return Err(not_a_variable());
            }
            put(name, variable(name), filled);
            rest = behind.get(name.len()..).unwrap_or_default();
        }
    }
    filled.text.push_str(rest);
    Ok(())
}

fn braces(
    inside: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    depth: usize,
    filled: &mut Filled,
    not_a_variable: &dyn Fn() -> InterpolationError,
) -> Result<(), InterpolationError> {
    let name = name_of(inside);
    let form = inside.get(name.len()..).unwrap_or_default();
    if name.is_empty() {
        return Err(not_a_variable());
    }
    let (counts_empty, form) = match form.strip_prefix(':') {
        Some(form) => (false, form),
        None => (true, form),
    };
    let value = variable(name);
    let set = value.clone().filter(|value| counts_empty || !value.is_empty());
    let mut characters = form.chars();
    let (sign, word) = (characters.next(), characters.as_str());
    match (sign, set) {
        (None, _) if counts_empty => put(name, value, filled),
        (Some('-' | '?'), Some(value)) => filled.text.push_str(&value),
        (Some('-'), None) | (Some('+'), Some(_)) => fill(word, variable, depth + 1, filled)?,
        (Some('+'), None) => {}
        (Some('?'), None) => return Err(InterpolationError::Required(name.to_owned(), word.to_owned())),
        _ => return Err(not_a_variable()),
    }
    Ok(())
}

fn put(name: &str, value: Option<String>, filled: &mut Filled) {
    match value {
        Some(value) => filled.text.push_str(&value),
        None => filled.unset.push(name.to_owned()),
    }
}

/// Returns the longest variable name at the start of the text.
fn name_of(text: &str) -> &str {
    let is_letter = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    if !text.starts_with(is_letter) {
        return "";
    }
    let end = text.find(|letter: char| !is_letter(letter) && !letter.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// Returns the position of the brace that closes the one before this text.
fn end_of_braces(text: &str) -> Option<usize> {
    let mut open = 0usize;
    let mut before = ' ';
    for (place, letter) in text.char_indices() {
        match letter {
            '{' if before == '$' => open += 1,
            '}' if open == 0 => return Some(place),
            '}' => open -= 1,
            _ => {}
        }
        before = letter;
    }
    None
}
