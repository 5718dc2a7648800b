use std::sync::OnceLock;

use syntect::parsing::{SyntaxReference, SyntaxSet};

use super::scopes::Scopes;

/// The known syntaxes, unpacked when the first text asks for one. Made once, and shared by all previews.
#[derive(Default)]
pub struct Syntaxes {
    loaded: OnceLock<Loaded>,
}

pub(super) struct Loaded {
    pub(super) set: SyntaxSet,
    pub(super) scopes: Scopes,
}

impl std::fmt::Debug for Syntaxes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Syntaxes").field("loaded", &self.loaded.get().is_some()).finish()
    }
}

/// File names, whole or by their beginning or end, whose syntax is none of an extension.
const NAMES: &[(&str, &str)] = &[
    ("containerfile", "Dockerfile"),
    ("containerfile.*", "Dockerfile"),
    ("dockerfile.*", "Dockerfile"),
    ("flake.lock", "JSON"),
    ("composer.lock", "JSON"),
    ("makefile.*", "Makefile"),
    ("*.conf", "INI"),
    ("*.cnf", "INI"),
    ("os-release", "Bourne Again Shell (bash)"),
    ("*.service", "INI"),
    ("*.socket", "INI"),
    ("*.timer", "INI"),
    ("*.target", "INI"),
    ("*.mount", "INI"),
    ("*.network", "INI"),
    ("*.link", "INI"),
    ("*.slice", "INI"),
    ("*.path", "INI"),
    ("*.bats", "Bourne Again Shell (bash)"),
    ("*.cjs", "JavaScript"),
    ("*.mjs", "JavaScript"),
    ("*.jsonl", "JSON"),
    ("*.webmanifest", "JSON"),
];

/// Programs of a first line `#!` and the extension that goes with them.
const INTERPRETERS: &[(&str, &str)] = &[
    ("sh", "sh"),
    ("ash", "sh"),
    ("dash", "sh"),
    ("ksh", "sh"),
    ("bash", "sh"),
    ("zsh", "zsh"),
    ("fish", "fish"),
    ("python", "py"),
    ("node", "js"),
    ("deno", "js"),
    ("perl", "pl"),
    ("ruby", "rb"),
    ("lua", "lua"),
    ("awk", "awk"),
    ("gawk", "awk"),
    ("tclsh", "tcl"),
    ("php", "php"),
    ("make", "mk"),
    ("Rscript", "R"),
    ("nix-shell", "sh"),
    ("openrc-run", "sh"),
];

impl Syntaxes {
    /// Nothing unpacked yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn loaded(&self) -> &Loaded {
        self.loaded.get_or_init(|| Loaded { set: two_face::syntax::extra_newlines(), scopes: Scopes::new() })
    }

    /// The syntax of a file: by its name, its extension, or its first line. `None` for plain text.
    pub(super) fn find(&self, path: &[u8], first_line: &str) -> Option<&SyntaxReference> {
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let name = std::str::from_utf8(name).unwrap_or_default();
        let set = &self.loaded().set;
        let by_place = || {
            let of_nginx = name.ends_with(".conf") && memchr::memmem::find(path, b"/nginx/").is_some();
            of_nginx.then(|| set.find_syntax_by_name("nginx")).flatten()
        };
        let found = by_place()
            .or_else(|| by_name(set, name))
            .or_else(|| by_interpreter(set, first_line))
            .or_else(|| by_look(set, first_line))?;
        (found.name != "Plain Text").then_some(found)
    }
}

fn by_name<'a>(set: &'a SyntaxSet, name: &str) -> Option<&'a SyntaxReference> {
    if name.is_empty() {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    // What editors and packagers append to the names of copies and templates.
    let bare =
        ["~", ".bak", ".orig", ".dpkg-dist", ".dpkg-old", ".in", ".dist", ".default", ".sample", ".example", ".tmpl"]
            .iter()
            .find_map(|end| lower.strip_suffix(end))
            .unwrap_or(&lower);
    by_exact_name(set, name).or_else(|| by_exact_name(set, bare))
}

fn by_exact_name<'a>(set: &'a SyntaxSet, name: &str) -> Option<&'a SyntaxReference> {
    let lower = name.to_ascii_lowercase();
    let fits = |pattern: &str| match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => lower.ends_with(end),
        (_, Some(start)) => lower.starts_with(start),
        _ => lower == pattern,
    };
    let named = |(_, syntax): &(&str, &str)| set.find_syntax_by_name(syntax);
    let whole = set.find_syntax_by_extension(name).or_else(|| {
        // Hidden files are listed with and without their dot.
        name.strip_prefix('.').and_then(|bare| set.find_syntax_by_extension(bare))
    });
    whole.or_else(|| NAMES.iter().find(|(pattern, _)| fits(pattern)).and_then(named)).or_else(|| {
        let (_, extension) = lower.rsplit_once('.')?;
        set.find_syntax_by_extension(extension)
    })
}

fn by_interpreter<'a>(set: &'a SyntaxSet, first_line: &str) -> Option<&'a SyntaxReference> {
    let mut words = first_line.strip_prefix("#!")?.split_ascii_whitespace();
    let base = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let mut program = base(words.next()?);
    if program == "env" {
        program = base(words.find(|word| !word.starts_with('-') && !word.contains('='))?);
    }
    let program = program.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    let (_, extension) = INTERPRETERS.iter().find(|(name, _)| *name == program)?;
    set.find_syntax_by_extension(extension)
}

fn by_look<'a>(set: &'a SyntaxSet, first_line: &str) -> Option<&'a SyntaxReference> {
    let looks = [
        ("<?xml", "xml"),
        ("<!DOCTYPE html", "html"),
        ("<!doctype html", "html"),
        ("<?php", "php"),
        ("diff --git", "diff"),
    ];
    let (_, extension) = looks.iter().find(|(start, _)| first_line.starts_with(start))?;
    set.find_syntax_by_extension(extension)
}
