use hashbrown::HashMap;
use syntect::parsing::{Scope, ScopeStack};

use super::{Meaning, Style};

/// Scopes by what they mean, the more particular ones after the general. The names are those of Sublime Text's
/// "Scope Naming" page.
const MEANINGS: &[(&str, Meaning)] = &[
    ("comment", Meaning::Comment),
    ("punctuation.definition.comment", Meaning::Comment),
    ("string", Meaning::String),
    ("string.other.link", Meaning::Link),
    ("string.unquoted.plain.out.yaml", Meaning::Plain),
    ("string.unquoted.plain.in.yaml", Meaning::Plain),
    ("punctuation.definition.string", Meaning::String),
    ("constant.character.escape", Meaning::Escape),
    ("constant.other.placeholder", Meaning::Escape),
    ("punctuation.section.interpolation", Meaning::Escape),
    ("constant.numeric", Meaning::Number),
    ("constant", Meaning::Constant),
    ("support.constant", Meaning::Constant),
    ("keyword", Meaning::Keyword),
    ("keyword.operator", Meaning::Operator),
    ("keyword.operator.word", Meaning::Keyword),
    ("keyword.operator.logical.python", Meaning::Keyword),
    ("storage", Meaning::Keyword),
    ("storage.type.function", Meaning::Keyword),
    ("variable.language", Meaning::Constant),
    ("variable", Meaning::Variable),
    ("variable.function", Meaning::Function),
    ("variable.other.key", Meaning::Key),
    ("entity.name.function", Meaning::Function),
    ("support.function", Meaning::Function),
    ("entity.name", Meaning::Type),
    ("entity.name.tag", Meaning::Key),
    ("entity.name.section", Meaning::Heading),
    ("entity.name.table", Meaning::Heading),
    ("entity.section", Meaning::Heading),
    ("entity.other.attribute-name", Meaning::Key),
    ("meta.property-name", Meaning::Key),
    ("support.type.property-name", Meaning::Key),
    ("support.type", Meaning::Type),
    ("support.class", Meaning::Type),
    ("entity.other.inherited-class", Meaning::Type),
    ("markup.heading", Meaning::Heading),
    ("markup.inserted", Meaning::Added),
    ("markup.deleted", Meaning::Removed),
    ("markup.raw", Meaning::String),
    ("markup.underline.link", Meaning::Link),
    ("invalid", Meaning::Problem),
    ("punctuation", Meaning::Punctuation),
];

/// Meanings of scopes.
pub(super) struct Scopes {
    known: Vec<(Scope, Meaning)>,
    string: Option<Scope>,
    key: Vec<Scope>,
    bold: Option<Scope>,
    italic: Option<Scope>,
}

impl Scopes {
    pub(super) fn new() -> Self {
        let scope = |name: &str| Scope::new(name).ok();
        let known = MEANINGS.iter().filter_map(|&(name, meaning)| Some((scope(name)?, meaning)));
        Self {
            known: known.collect(),
            string: scope("string"),
            key: ["meta.mapping.key", "meta.structure.dictionary.key"].into_iter().filter_map(scope).collect(),
            bold: scope("markup.bold"),
            italic: scope("markup.italic"),
        }
    }

    /// The style of text under a stack of scopes: the innermost scope that means something decides.
    pub(super) fn style(&self, stack: &ScopeStack, memory: &mut HashMap<Scope, Option<Meaning>>) -> Style {
        let mut style = Style::default();
        let scopes = stack.as_slice();
        let is = |wanted: Option<Scope>, scope: Scope| wanted.is_some_and(|wanted| wanted.is_prefix_of(scope));
        for &scope in scopes.iter().rev() {
            let meaning = *memory.entry(scope).or_insert_with(|| self.meaning(scope));
            if let (Some(meaning), Meaning::Plain) = (meaning, style.meaning) {
                style.meaning = meaning;
                if is(self.string, scope)
                    && scopes.iter().any(|&outer| self.key.iter().any(|key| key.is_prefix_of(outer)))
                {
                    style.meaning = Meaning::Key;
                }
                break;
            }
        }
        style.bold = style.meaning == Meaning::Heading || scopes.iter().any(|&scope| is(self.bold, scope));
        style.italic = scopes.iter().any(|&scope| is(self.italic, scope));
        style
    }

    fn meaning(&self, scope: Scope) -> Option<Meaning> {
        let fitting = self.known.iter().filter(|(known, _)| known.is_prefix_of(scope));
        fitting.max_by_key(|(known, _)| known.len()).map(|&(_, meaning)| meaning)
    }
}
