//! Programs that look for files relative to their real path: `$ORIGIN`, `/proc/self/exe`, `readlink -f "$0"`.
//!
//! A link in place of such a program leads it to another directory than a file would; see `$ORIGIN` in ld.so(8).

use hashbrown::{HashMap, HashSet};

use super::elf::Elf;
use super::read::Facts;
use super::search::Search;
use nixdive_image::NodeId;

/// Strings in scripts that resolve links to their own path.
const SIGNS: [&[u8]; 7] =
    [b"readlink", b"realpath", b"RealBin", b"pwd -P", b".resolve()", b"require_relative", b"__dir__"];

/// Interpreters, by beginnings of their names, that resolve links to scripts, and file extensions of such scripts.
struct Interpreters {
    names: &'static [&'static [u8]],
    texts: &'static [&'static [u8]],
}

const INTERPRETERS: [Interpreters; 2] = [
    Interpreters { names: &[b"node", b"bun", b"deno"], texts: &[b".js", b".mjs", b".cjs"] },
    Interpreters { names: &[b"php", b"libphp", b"frankenphp"], texts: &[b".php"] },
];

impl Search<'_> {
    /// Records a script that resolves its own path.
    pub(super) fn note_text_that_looks_around(&mut self, node: NodeId, text: &[u8]) {
        if SIGNS.iter().any(|sign| memchr::memmem::find(text, sign).is_some()) {
            self.needs.look_around.push(node);
        }
    }

    /// Adds programs that resolve their own path, directly or in a library, and scripts whose interpreter does.
    pub(super) fn look_around(&mut self) {
        let programs: Vec<(NodeId, &Elf)> = self
            .programs
            .iter()
            .filter_map(|(node, facts)| match &**facts {
                Facts::Elf(elf) => Some((*node, &**elf)),
                _ => None,
            })
            .collect();
        let libraries: HashMap<&[u8], &Elf> =
            programs.iter().filter_map(|(_, elf)| Some((elf.soname.as_deref()?, *elf))).collect();
        let is_program = |elf: &Elf| elf.soname.is_none();
        let mut found: HashSet<NodeId> = self.needs.look_around.drain(..).collect();
        let looking = programs.iter().filter(|(_, elf)| is_program(elf) && looks_around(elf, &libraries));
        found.extend(looking.map(|(node, _)| *node));
        let name = |node: NodeId| self.view.tree.name(node);
        for Interpreters { names, texts } in INTERPRETERS {
            let runs = |node: NodeId| names.iter().any(|beginning| name(node).starts_with(beginning));
            if programs.iter().any(|&(node, _)| runs(node)) {
                let is_text = |node: &NodeId| texts.iter().any(|end| name(*node).ends_with(end));
                found.extend(self.view.tree.node_ids().filter(|&node| self.is_needed(node)).filter(is_text));
            }
        }
        let mut found: Vec<NodeId> = found.into_iter().collect();
        found.sort_unstable_by_key(|node| node.index());
        self.needs.look_around = found;
    }
}

/// Returns `true` if a program or one of its libraries resolves the program's path.
fn looks_around(program: &Elf, libraries: &HashMap<&[u8], &Elf>) -> bool {
    let mut seen: HashSet<&[u8]> = HashSet::new();
    let mut open = vec![program];
    while let Some(elf) = open.pop() {
        let lists = [&elf.rpath, &elf.runpath];
        let by_linker = lists.into_iter().flatten().any(|list| memchr::memmem::find(list, b"ORIGIN").is_some());
        // The C library contains the path for use by others.
        let by_itself = !elf.is_c_library() && elf.paths.iter().any(|named| &*named.path == b"/proc/self/exe");
        if by_linker || by_itself {
            return true;
        }
        for name in &elf.needed {
            if seen.insert(name) {
                open.extend(libraries.get(&**name));
            }
        }
    }
    false
}
