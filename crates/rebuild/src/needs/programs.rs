use super::elf::{Abilities, Elf, Named};
use super::search::{Follow, Search};
use super::{How, Reason};
use nixdive_image::NodeId;

impl Search<'_> {
    /// Follows the needs of a program or library.
    pub(super) fn follow_elf(&mut self, node: NodeId, elf: &Elf) {
        self.follow_interpreter(node, elf);
        if let Some(soname) = &elf.soname {
            self.sonames.entry(soname.clone()).or_insert(node);
        }
        let name: Box<[u8]> = self.view.tree.name(node).into();
        self.sonames.entry(name).or_insert(node);
        for library in &elf.needed {
            self.ask(node, elf, How::Library, vec![library.clone()], true);
        }
        for note in &elf.dlopen_notes {
            self.ask(node, elf, How::Plugin, note.sonames.clone(), note.is_required);
        }
        if elf.abilities.contains(Abilities::UNWINDS) && !elf.is_c_library() {
            self.ask(node, elf, How::Plugin, vec![b"libgcc_s.so.1".as_slice().into()], false);
        }
        if elf.is_c_library() {
            return;
        }
        for ability in elf.abilities.iter() {
            self.able(ability, node);
        }
        for library in &elf.libraries {
            self.ask(node, elf, How::Plugin, vec![library.clone()], false);
        }
        let starts = elf.abilities.contains(Abilities::STARTS) || elf.needed.is_empty();
        // Runs first, so that directories of language runtimes are recognized among the named ones.
        self.follow_runtime(node);
        for named in &elf.paths {
            if !self.is_only_mentioned(named) {
                self.named(node, named, starts);
            }
        }
    }

    /// Returns `true` if a path to a program is only informational: a build option, or the name of the init system.
    fn is_only_mentioned(&self, named: &Named) -> bool {
        let program = self.view.find(&named.path).filter(|&node| self.view.is_program(node));
        program.is_some_and(|node| named.is_value || matches!(self.view.tree.name(node), b"systemd" | b"init"))
    }

    /// Records a capability of a program, and the first program that has it.
    pub(super) fn able(&mut self, ability: Abilities, node: NodeId) {
        if !self.able.iter().any(|(known, _)| *known == ability) {
            self.able.push((ability, node));
        }
    }

    fn follow_interpreter(&mut self, node: NodeId, elf: &Elf) {
        let Some(interpreter) = &elf.interpreter else { return };
        let reason = Reason { from: Some(node), how: How::Interpreter };
        // A library names an interpreter only to be runnable by itself.
        if self.need_path(interpreter, reason, Follow::Programs).is_none() && elf.soname.is_none() {
            self.miss(Some(node), How::Interpreter, interpreter);
        }
    }
}
