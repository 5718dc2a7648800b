use super::elf::Named;
use super::linker::parent;
use super::search::{Follow, Search};
use super::{How, Reason};
use nixdive_image::NodeId;

/// Maximum number of packages with files in a directory that still belongs to the program naming it.
const MOST_PACKAGES: usize = 16;
/// Maximum number of files in such a directory.
const MOST_FILES: usize = 20_000;

/// Directories that belong to the system rather than to one program: naming one does not imply its contents. `*`
/// matches any single name.
const SHARED: &[&str] = &[
    "/*",
    "/usr/*",
    "/usr/local/*",
    "/usr/local/lib/*",
    "/usr/local/share/*",
    "/usr/lib/*-linux-gnu",
    "/usr/lib/*-linux-gnueabihf",
    "/usr/lib/*-linux-musl",
    "/lib/*-linux-gnu",
    "/usr/lib/*-linux-gnu/*-path",
    "/usr/lib/python3/dist-packages",
    "/usr/lib/locale",
    "/usr/lib/ssl",
    "/usr/lib/*.d",
    "/usr/lib/systemd",
    "/usr/lib/systemd/*",
    "/usr/share/dbus-1/*",
    "/usr/lib/debug",
    "/usr/lib/modules",
    "/usr/lib/udev",
    "/usr/share/applications",
    "/usr/share/bash-completion",
    "/usr/share/doc",
    "/usr/share/fonts",
    "/usr/share/i18n",
    "/usr/share/icons",
    "/usr/share/info",
    "/usr/share/keyrings",
    "/usr/share/locale",
    "/usr/share/locale-langpack",
    "/usr/share/man",
    "/usr/share/mime",
    "/usr/share/misc",
    "/usr/share/perl5",
    "/usr/share/pixmaps",
    "/usr/share/terminfo",
    "/usr/share/zoneinfo",
    "/usr/lib/terminfo",
    "/usr/lib/*-linux-gnu/gconv",
    "/etc/alternatives",
    "/etc/default",
    "/etc/init.d",
    "/etc/pki",
    "/etc/profile.d",
    "/etc/security",
    "/etc/skel",
    "/etc/ssl",
    "/etc/ssl/*",
    "/etc/systemd",
    "/etc/systemd/*",
    "/etc/terminfo",
    "/etc/xdg",
    "/var/*",
    "/var/lib/*",
    "/var/cache/*",
    "/var/log/*",
    "/var/spool/*",
    "/home/*",
    "/nix/store",
];

/// Files that a program never needs even if it names them: documentation and traces of installation.
const NEVER: &[&str] = &[
    "/usr/share/doc/",
    "/usr/share/man/",
    "/usr/share/info/",
    "/usr/share/locale/",
    "/usr/share/lintian/",
    "/var/cache/",
    "/var/lib/apt/",
    "/var/lib/dpkg/",
    "/proc/",
    "/sys/",
    "/dev/",
    "/usr/share/doc-base/",
    "/usr/share/bug/",
];

/// Returns `true` if a directory belongs to the system.
pub(super) fn is_shared(path: &[u8]) -> bool {
    SHARED.iter().any(|pattern| matches_parts(pattern.as_bytes(), path))
}

/// Returns `true` if a directory belongs to the system when the configuration names it: a directory below `/var/lib`
/// then belongs to the configured program.
pub(super) fn is_shared_by_name(path: &[u8]) -> bool {
    is_shared(path) && !matches_parts(b"/var/lib/*", path) || is_never_needed(&[path, b"/"].concat())
}

fn is_never_needed(path: &[u8]) -> bool {
    NEVER.iter().any(|prefix| path.starts_with(prefix.as_bytes()))
}

/// Returns `true` if a path has the components of a pattern; a component of the pattern may begin with a star.
fn matches_parts(pattern: &[u8], path: &[u8]) -> bool {
    let mut parts = path.split(|&byte| byte == b'/');
    let mut wanted = pattern.split(|&byte| byte == b'/');
    loop {
        match (wanted.next(), parts.next()) {
            (None, None) => return true,
            (Some([b'*', end @ ..]), Some(part)) if part.ends_with(end) => {}
            (Some(wanted), Some(part)) if wanted == part => {}
            _ => return false,
        }
    }
}

impl Search<'_> {
    /// Handles a path that a program or text names. `starts` is true if the text can start programs.
    pub(super) fn named(&mut self, from: NodeId, named: &Named, starts: bool) {
        let path: &[u8] = if named.is_prefix { parent(&named.path).unwrap_or_default() } else { &named.path };
        if path.is_empty() || is_never_needed(&[path, b"/"].concat()) {
            return;
        }
        let reason = Reason { from: Some(from), how: How::NamedPath };
        let view = self.view;
        let Ok(end) = view.walk(NodeId::ROOT, path).end else {
            if let Some(directory) = parent(path) {
                self.expect_directory(directory, from);
            }
            return;
        };
        if !view.is_directory(end) {
            let real = view.tree.path(end);
            let is_library = memchr::memmem::find(view.tree.name(end), b".so").is_some();
            if is_never_needed(&real) || (view.is_program(end) && !starts && !is_library) {
                return;
            }
            if real.starts_with(b"/var/log/") {
                self.expect_directory(parent(path).unwrap_or_default(), from);
                return;
            }
            self.need_path(path, reason, Follow::All);
        } else if self.is_of_runtime(end) {
            // The path is kept for its language, and so are the libraries in it.
            self.need_path(path, reason, Follow::Nothing);
        } else if self.only_reached || is_shared(&view.tree.path(end)) || end == NodeId::ROOT {
            self.expect_directory(path, from);
        } else if !self.trees.insert(end) {
            self.need_path(path, reason, Follow::Nothing);
        } else if self.belongs_to_one(end) {
            self.need_path(path, reason, Follow::Nothing);
            self.need_tree(end, reason, Follow::All, &|_, _| true);
        } else {
            self.expect_directory(path, from);
            let message =
                format!("{} is named by {}, but contains files of many packages", self.shown(end), self.shown(from));
            self.doubt(Some(end), message);
        }
    }

    /// Returns the target directory of a link if it belongs to few packages and not to the system; each directory once.
    pub(super) fn own_directory_behind(&mut self, link: NodeId) -> Option<NodeId> {
        let view = self.view;
        let end = view.find(&view.tree.path(link)).filter(|&end| end != NodeId::ROOT && view.is_directory(end))?;
        let path = view.tree.path(end);
        let is_own = !is_shared(&path) && !is_never_needed(&[&path[..], b"/"].concat()) && !self.is_of_runtime(end);
        (is_own && self.trees.insert(end) && self.belongs_to_one(end)).then_some(end)
    }

    /// Returns `true` if a directory is in the tree of a language runtime that is kept.
    fn is_of_runtime(&self, directory: NodeId) -> bool {
        std::iter::successors(Some(directory), |&at| self.view.tree.parent(at)).any(|at| self.runtimes.contains(&at))
    }

    /// Returns `true` if the contents of a directory belong to few packages.
    fn belongs_to_one(&self, directory: NodeId) -> bool {
        let mut owners = Vec::new();
        for (count, node) in self.view.below(directory).enumerate() {
            if let Some(owner) = self.system_owner(node)
                && !owners.contains(&owner)
            {
                owners.push(owner);
            }
            if owners.len() > MOST_PACKAGES || count > MOST_FILES {
                return false;
            }
        }
        true
    }

    /// Returns the package of the operating system that owns a file.
    pub(super) fn system_owner(&self, node: NodeId) -> Option<nixdive_packages::PackageIndex> {
        let is_system =
            |&owner: &nixdive_packages::PackageIndex| self.packages.packages.get(owner).kind.is_of_distribution();
        self.packages.ownership.owners(node).find(is_system)
    }

    /// Keeps an existing directory without its contents, where programs may write or search.
    pub(super) fn expect_directory(&mut self, path: &[u8], from: NodeId) {
        let view = self.view;
        let Some(end) = view.find(path).filter(|&end| view.is_directory(end)) else { return };
        let real = view.tree.path(end);
        let writable = ["/var", "/run", "/tmp", "/srv", "/home", "/opt", "/etc"]
            .iter()
            .any(|top| real.strip_prefix(top.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/")));
        if writable {
            let reason = Reason { from: Some(from), how: How::ExpectedDirectory };
            self.need_path(path, reason, Follow::Nothing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_the_system_are_known() {
        for shared in
            ["/usr", "/usr/lib", "/usr/lib/x86_64-linux-gnu", "/etc", "/var/log", "/var/lib/nginx", "/etc/ssl/certs"]
        {
            assert!(is_shared(shared.as_bytes()), "{shared}");
        }
        for own in ["/etc/nginx", "/usr/share/nginx", "/usr/lib/x86_64-linux-gnu/ossl-modules", "/srv/www", "/opt/app"]
        {
            assert!(!is_shared(own.as_bytes()), "{own}");
        }
    }
}
