//! YAML as a tree that knows its lines. Anchors and aliases are refused: a few lines of them may stand for gigabytes.

use saphyr_parser::{Event, Parser};

/// Depth of nesting that is read.
const MAX_DEPTH: usize = 32;
/// Values that are read.
const MAX_VALUES: usize = 100_000;

/// A value and the line where it begins, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub line: u32,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Scalar(String),
    List(Vec<Node>),
    /// Keys in order, each with its line.
    Map(Vec<(String, u32, Node)>),
}

/// What is wrong with a document, and in which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct YamlError {
    pub line: u32,
    pub reason: String,
}

enum Open {
    List(u32, Vec<Node>),
    Map(u32, Vec<(String, u32, Node)>, Option<(String, u32)>),
}

/// Reads the first document; `None` where there is none.
pub(super) fn parse(text: &str) -> Result<Option<Node>, YamlError> {
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    let mut values = 0usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| YamlError {
            line: line_number(error.marker().line()),
            reason: crate::image::display_in_sentence(&error.to_string()),
        })?;
        let line = line_number(span.start.line());
        let refuse = |reason: &str| Err(YamlError { line, reason: reason.to_owned() });
        values += 1;
        if values > MAX_VALUES || open.len() > MAX_DEPTH {
            return refuse("there is more in it than rules need");
        }
        let finished = match event {
            Event::Alias(_) => return refuse("aliases are not read; write the value out"),
            Event::Scalar(text, ..) => Some(Node { line, value: Value::Scalar(text.into_owned()) }),
            Event::SequenceStart(..) => {
                open.push(Open::List(line, Vec::new()));
                None
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(line, Vec::new(), None));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().map(|open| match open {
                Open::List(line, items) => Node { line, value: Value::List(items) },
                Open::Map(line, entries, _) => Node { line, value: Value::Map(entries) },
            }),
            Event::DocumentEnd => break,
            _ => None,
        };
        if let Some(node) = finished {
            put(node, &mut open, &mut root)?;
        }
    }
    Ok(root)
}

fn put(node: Node, open: &mut [Open], root: &mut Option<Node>) -> Result<(), YamlError> {
    match open.last_mut() {
        None => *root = Some(node),
        Some(Open::List(_, items)) => items.push(node),
        Some(Open::Map(_, entries, key)) => match (key.take(), node) {
            (Some((key, line)), value) => {
                if entries.iter().any(|(known, ..)| *known == key) {
                    let key = crate::image::display_in_sentence(&key);
                    return Err(YamlError { line, reason: format!("«{key}» stands here twice") });
                }
                entries.push((key, line, value));
            }
            (None, Node { line, value: Value::Scalar(text) }) => *key = Some((text, line)),
            (None, Node { line, .. }) => {
                return Err(YamlError { line, reason: "a key has to be a plain word".to_owned() });
            }
        },
    }
    Ok(())
}

fn line_number(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_know_their_lines() {
        let root = parse("a: 1\nb:\n  - x\n  - {c: y}\n").unwrap().unwrap();
        let Value::Map(entries) = root.value else { panic!("no map") };
        assert_eq!(
            entries.iter().map(|(key, line, _)| (key.as_str(), *line)).collect::<Vec<_>>(),
            [("a", 1), ("b", 2)]
        );
        let Value::List(items) = &entries[1].2.value else { panic!("no list") };
        assert_eq!(items.iter().map(|item| item.line).collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn what_is_no_plain_document_is_refused_with_its_line() {
        assert_eq!(parse("a: &x 1\nb: *x\n").unwrap_err().line, 2);
        assert_eq!(parse("a: 1\na: 2\n").unwrap_err().line, 2);
        assert!(parse("a: [1\n").is_err());
        assert!(parse(&"[".repeat(1000)).is_err());
        assert_eq!(parse("# nothing\n").unwrap(), None);
    }

    proptest! {
        #[test]
        fn any_text_is_a_document_or_an_error(text in "[a: \\[\\]{}\\-\n,'\"&*#|>!%]{0,80}") {
            let _ = parse(&text);
        }
    }
}
