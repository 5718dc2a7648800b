//! Files that no package provides: the application and its configuration.

use std::collections::BTreeSet;

use super::{Survey, content_of};
use crate::emit::CarriedContent;
use crate::needs::How;
use nixdive_image::{Kind, NodeId, OccurrenceId, Owner};
use nixdive_packages::{PackageIndex, PackageKind};

/// Maximum length of a name, and of a path together with the flake's directory above it, bytes.
const MOST_NAME: usize = 255;
const MOST_PATH: usize = 3000;

/// File or link that the flake carries.
#[derive(Debug, Clone)]
pub(in crate::emit) struct OwnFile {
    pub node: NodeId,
    /// Absolute path.
    pub path: Vec<u8>,
    pub content: CarriedContent,
    pub mode: u16,
    pub owner: Owner,
}

impl OwnFile {
    /// Returns `true` if owner or mode must be set, as no file of a Nix store has them.
    pub fn is_special(&self) -> bool {
        match self.content {
            CarriedContent::Symlink(_) => false,
            CarriedContent::File { is_executable, .. } => {
                let usual = if is_executable { 0o755 } else { 0o644 };
                let owner = self.owner.uid != 0 || self.owner.gid != 0;
                owner || !matches!(self.mode & 0o7777, mode if mode == usual || mode == usual & !0o222)
            }
        }
    }
}

impl Survey<'_> {
    /// Returns `true` if a file owned by a package is configuration of the image: it was modified after installation,
    /// or programs read it and nixpkgs' package has it elsewhere.
    pub(super) fn is_own_configuration(
        &self,
        node: NodeId,
        occurrence: OccurrenceId,
        index: PackageIndex,
        path: &[u8],
    ) -> bool {
        if self.request.packages.packages.get(index).kind == PackageKind::Python {
            return false;
        }
        let installed = self.request.packages.ownership.of(index).layer;
        let is_changed = installed.is_some_and(|layer| self.tree().occurrence(occurrence).layer > layer);
        let is_read = path.starts_with(b"/etc/")
            && match self.how(node) {
                Some(how) => !matches!(how, How::Implicit(_)) || is_account(path),
                None => is_account(path),
            };
        is_changed || is_read || self.how(node) == Some(How::Asked)
    }

    pub(super) fn add_own(&mut self, node: NodeId, occurrence: OccurrenceId) {
        let tree = self.tree();
        let path = tree.path(node);
        let is_too_long = path.len() > MOST_PATH || path.split(|&byte| byte == b'/').any(|part| part.len() > MOST_NAME);
        let climbs = path.split(|&byte| byte == b'/').any(|part| matches!(part, b"." | b".."));
        if is_too_long || climbs {
            let name = nixdive_base::text::display_in_sentence(&String::from_utf8_lossy(&path));
            self.review(format!("{name} is not carried over: the name is not valid in a file system"));
            return;
        }
        let found = tree.occurrence(occurrence);
        let (mode, owner) = (found.mode(), tree.owner(occurrence));
        let own = OwnFile { node, path, content: content_of(tree, occurrence), mode, owner };
        if found.kind == Kind::File && !tree.xattrs(occurrence).is_empty() {
            let name = self.shown(node);
            self.review(format!("{name} has extended attributes, such as capabilities, which a Nix store cannot keep"));
        }
        if found.kind == Kind::File && mode & 0o004 == 0 {
            let name = self.shown(node);
            self.review(format!("{name} is not world-readable in the image, but will be in a Nix store"));
        }
        self.own.push(own);
    }

    /// Removes links whose targets are not in the new image.
    pub(super) fn finish_own(&mut self) {
        let tree = self.tree();
        let mut there: BTreeSet<NodeId> = BTreeSet::new();
        let placed = self.places.iter().filter_map(|place| tree.lookup(&place.path));
        let files =
            self.own.iter().filter(|own| !matches!(own.content, CarriedContent::Symlink(_))).map(|own| own.node);
        for node in placed.chain(files) {
            let mut at = Some(node);
            while let Some(node) = at.filter(|&node| there.insert(node)) {
                at = tree.parent(node);
            }
        }
        let own = std::mem::take(&mut self.own);
        self.own = own
            .into_iter()
            .filter(|own| {
                let is_link = matches!(own.content, CarriedContent::Symlink(_));
                !is_link || self.resolve(&own.path).is_none_or(|end| there.contains(&end))
            })
            .collect();
        if self.wants_fake_accounts() {
            self.own.retain(|own| !is_account(&own.path));
            let user = self.request.image.config.user.clone();
            let name = user.split(':').next().unwrap_or_default();
            let is_known = matches!(name, "" | "root" | "nobody") || name.bytes().all(|byte| byte.is_ascii_digit());
            if !is_known {
                let name = nixdive_base::text::display_in_sentence(name);
                self.review(format!("the image runs as `{name}`, whose account is not carried over"));
            }
        }
    }

    /// Returns `true` if own files may be programs or libraries built for other paths.
    pub fn has_own_programs(&self) -> bool {
        let reasons = self.request.needs.map(|needs| needs.reasons.as_slice()).unwrap_or_default().iter().flatten();
        let calls = reasons.filter(|reason| matches!(reason.how, How::Shebang | How::ScriptCommand));
        let scripts: BTreeSet<NodeId> = calls.filter_map(|reason| reason.from).collect();
        self.own.iter().any(|own| match own.content {
            CarriedContent::File { is_executable, .. } => {
                let name = super::file_name(&own.path);
                let is_script = scripts.contains(&own.node)
                    || own.path.starts_with(b"/etc/")
                    || [&b".sh"[..], b".py", b".pl", b".rb", b".js"].iter().any(|end| name.ends_with(end));
                super::is_library_name(name) || (is_executable && !is_script)
            }
            CarriedContent::Symlink(_) => false,
        })
    }

    /// Returns `true` if accounts must be generated: those of the image are not carried over, or it runs as a user.
    pub fn wants_fake_accounts(&self) -> bool {
        let is_somebody = !matches!(self.request.image.config.user.as_str(), "" | "root" | "0" | "0:0");
        let has_accounts = self.own.iter().any(|own| own.path == b"/etc/passwd");
        !has_accounts && (is_somebody || self.resolve(b"/etc/passwd").is_some())
    }
}

fn is_account(path: &[u8]) -> bool {
    matches!(path, b"/etc/passwd" | b"/etc/group" | b"/etc/nsswitch.conf")
}
