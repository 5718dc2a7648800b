//! YAML as a tree with line numbers, within limits. An alias becomes a copy of its anchor.

use hashbrown::{HashMap, HashSet};
use saphyr_parser::{Event, Parser};

/// Depth of nesting that is read.
const MAX_DEPTH: usize = 32;
/// Values that are read, those that aliases stand for counted each time.
const MAX_VALUES: usize = 100_000;

/// A value and the line where it begins, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The line.
    pub line: u32,
    /// The value.
    pub value: Value,
}

/// Value of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text, a number, or nothing.
    Scalar(String),
    /// Values in order.
    List(Vec<Node>),
    /// Keys in order, each with its line.
    Map(Vec<(String, u32, Node)>),
}

impl Node {
    /// The entries of a map; nothing of anything else.
    #[must_use]
    pub fn entries(&self) -> &[(String, u32, Node)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; nothing of anything else.
    #[must_use]
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// Returns the value of a map under a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(known, ..)| known == key).map(|(.., node)| node)
    }

    /// A text that is not empty.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// Values in it, itself counted, and the depth of the deepest.
    fn measure(&self) -> (usize, usize) {
        let parts: Vec<&Node> = match &self.value {
            Value::Scalar(_) => Vec::new(),
            Value::List(items) => items.iter().collect(),
            Value::Map(entries) => entries.iter().map(|(.., node)| node).collect(),
        };
        // A tree is never deeper than `MAX_DEPTH`, which bounds this.
        parts.into_iter().map(Self::measure).fold((1, 1), |(count, depth), (parts, below)| {
            (count.saturating_add(parts), depth.max(below.saturating_add(1)))
        })
    }
}

/// An error in a document, with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// The line, from 1.
    pub line: u32,
    /// A sentence without a full stop.
    pub reason: String,
}

enum Open {
    List(u32, Vec<Node>),
    Map(u32, MapBeing),
}

/// A map while it is read.
#[derive(Default)]
struct MapBeing {
    entries: Vec<(String, u32, Node)>,
    known: HashSet<String>,
    key: Option<(String, u32)>,
}

/// Reads the documents of a text, without empty ones.
///
/// # Errors
/// If the text is not valid YAML, a map repeats a key, a key is not a plain scalar, or a limit is
/// exceeded; each with its line.
pub fn documents(text: &str) -> Result<Vec<Node>, YamlError> {
    Reader::default().read(text)
}

#[derive(Default)]
struct Reader {
    /// Anchor of each open collection.
    open: Vec<(Open, usize)>,
    anchors: HashMap<usize, Node>,
    values: usize,
    root: Option<Node>,
}

impl Reader {
    fn read(mut self, text: &str) -> Result<Vec<Node>, YamlError> {
        let mut documents = Vec::new();
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| YamlError {
                line: line_number(error.marker().line()),
                reason: crate::text::display_in_sentence(&error.to_string()),
            })?;
            let line = line_number(span.start.line());
            self.count(line, 1)?;
            let finished = match event {
                Event::Alias(anchor) => Some((self.alias(line, anchor)?, 0)),
                Event::Scalar(text, _, anchor, _) => {
                    Some((Node { line, value: Value::Scalar(text.into_owned()) }, anchor))
                }
                Event::SequenceStart(anchor, _) => {
                    self.open.push((Open::List(line, Vec::new()), anchor));
                    None
                }
                Event::MappingStart(anchor, _) => {
                    self.open.push((Open::Map(line, MapBeing::default()), anchor));
                    None
                }
                Event::SequenceEnd | Event::MappingEnd => self.open.pop().map(|(open, anchor)| match open {
                    Open::List(line, items) => (Node { line, value: Value::List(items) }, anchor),
                    Open::Map(line, map) => (Node { line, value: Value::Map(map.entries) }, anchor),
                }),
                Event::DocumentEnd => {
                    documents.extend(self.root.take());
                    self.anchors.clear();
                    None
                }
                _ => None,
            };
            if let Some((node, anchor)) = finished {
                self.put(node, anchor)?;
            }
        }
        Ok(documents)
    }

    fn count(&mut self, line: u32, values: usize) -> Result<(), YamlError> {
        self.values = self.values.saturating_add(values);
        if self.values > MAX_VALUES || self.open.len() > MAX_DEPTH {
            return Err(YamlError { line, reason: "the document exceeds the limit".to_owned() });
        }
        Ok(())
    }

    fn alias(&mut self, line: u32, anchor: usize) -> Result<Node, YamlError> {
        let refuse = |reason: &str| Err(YamlError { line, reason: reason.to_owned() });
        let Some(node) = self.anchors.get(&anchor) else { return refuse("an alias that contains itself") };
        let (values, depth) = node.measure();
        let node = Node { line, ..node.clone() };
        if self.open.len().saturating_add(depth) > MAX_DEPTH {
            return refuse("the document exceeds the limit");
        }
        self.count(line, values)?;
        Ok(node)
    }

    fn put(&mut self, node: Node, anchor: usize) -> Result<(), YamlError> {
        if anchor > 0 {
            // A copy counts as one more, so that nested anchors are bounded too.
            self.count(node.line, node.measure().0)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some((Open::List(_, items), _)) => items.push(node),
            Some((Open::Map(_, map), _)) => map.put(node)?,
        }
        Ok(())
    }
}

impl MapBeing {
    fn put(&mut self, node: Node) -> Result<(), YamlError> {
        match (self.key.take(), node) {
            (Some((key, line)), value) => {
                if !self.known.insert(key.clone()) {
                    let key = crate::text::display_in_sentence(&key);
                    return Err(YamlError { line, reason: format!("duplicate key `{key}`") });
                }
                self.entries.push((key, line, value));
            }
            (None, Node { line, value: Value::Scalar(text) }) => self.key = Some((text, line)),
            (None, Node { line, .. }) => {
                return Err(YamlError { line, reason: "a key must be a plain word".to_owned() });
            }
        }
        Ok(())
    }
}

fn line_number(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> YamlError {
        documents(text).unwrap_err()
    }

    #[test]
    fn values_know_their_lines() {
        let root = documents("a: 1\nb:\n  - x\n  - {c: y}\n").unwrap().remove(0);
        let lines: Vec<_> = root.entries().iter().map(|(key, line, _)| (key.as_str(), *line)).collect();
        assert_eq!(lines, [("a", 1), ("b", 2)]);
        let items = root.get("b").unwrap().items();
        assert_eq!(items.iter().map(|item| item.line).collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn what_is_no_plain_document_is_refused_with_its_line() {
        assert_eq!(refused("a: &x 1\nb: *y\n").line, 2);
        assert_eq!(refused("a: 1\na: 2\n").line, 2);
        assert!(refused("a: [1\n").line >= 1);
        refused(&"[".repeat(1000));
        assert_eq!(documents("# nothing\n").unwrap(), []);
    }

    #[test]
    fn aliases_stand_for_copies_of_their_own_document() {
        let found = documents("a: &x {k: v}\nb: *x\n---\nc: 1\n").unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].get("b").unwrap().get("k").and_then(Node::text), Some("v"));
        let again = documents("a: &x 1\n---\nb: *x\n");
        assert!(again.is_err(), "an anchor of another document");
    }

    #[test]
    fn aliases_of_aliases_end_at_the_bound() {
        let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for step in 1..12 {
            let before = step - 1;
            let list = vec![format!("*a{before}"); 9].join(",");
            text.push_str(&format!("a{step}: &a{step} [{list}]\n"));
        }
        assert!(documents(&text).unwrap_err().reason.contains("exceeds the limit"));
        let mut deep = "a0: &a0 [x]\n".to_owned();
        (1..60).for_each(|step| deep.push_str(&format!("a{step}: &a{step} [*a{}]\n", step - 1)));
        assert!(documents(&deep).unwrap_err().reason.contains("exceeds the limit"));
        assert!(documents("a: &x [*x]\n").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_documents_or_an_error(text in "[a: \\[\\]{}\\-\n,'\"&*#|>!%]{0,80}") {
            let _ = documents(&text);
        }
    }
}
