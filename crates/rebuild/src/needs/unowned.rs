use super::places;
use super::search::{Follow, Search};
use super::view::At;
use super::{How, Reason};
use nixdive_image::NodeId;

/// Trees that never belong to the application: caches, logs, and files written by package managers and their scripts.
const NOT_THE_APPLICATION: &[&str] = &[
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/tmp",
    "/boot",
    "/var/cache",
    "/var/log",
    "/var/tmp",
    "/var/run",
    "/var/lock",
    "/var/lib/apt",
    "/var/lib/dpkg",
    "/var/lib/systemd",
    "/var/lib/pam",
    "/var/lib/shells.state",
    "/var/lib/ucf",
    "/var/lib/rpm",
    "/var/lib/dnf",
    "/var/lib/yum",
    "/var/lib/alternatives",
    "/var/lib/ca-certificates",
    "/var/lib/misc",
    "/var/lib/xml-core",
    "/var/lib/sgml-base",
    "/var/lib/update-rc.d",
    "/var/lib/polkit-1",
    "/var/lib/python",
    "/var/lib/emacsen-common",
    "/var/lib/locales",
    "/var/backups",
    "/var/spool/mail",
    "/var/mail",
    "/lib/apk",
    "/usr/lib/apk",
    "/etc/apk",
    "/etc/apt",
    "/etc/dpkg",
    "/etc/alternatives",
    "/etc/ssl",
    "/etc/ca-certificates",
    "/etc/pki",
    "/etc/rc0.d",
    "/etc/rc1.d",
    "/etc/rc2.d",
    "/etc/rc3.d",
    "/etc/rc4.d",
    "/etc/rc5.d",
    "/etc/rc6.d",
    "/etc/rcS.d",
    "/etc/systemd",
    "/etc/pam.d",
    "/etc/security/opasswd",
    "/etc/skel",
    "/etc/init.d",
    "/etc/cron.daily",
    "/etc/yum.repos.d",
    "/etc/dnf",
    "/etc/rpm",
    "/usr/lib/sysimage",
    "/usr/share/rpm",
    "/usr/share/man",
    "/usr/share/doc",
    "/usr/share/info",
    "/usr/share/locale",
    "/usr/share/icons",
    "/usr/share/mime",
    "/usr/share/applications",
    "/usr/share/glib-2.0/schemas",
    "/usr/share/python3",
    "/usr/share/perl5",
    "/usr/share/vim",
    "/usr/lib/locale",
    "/usr/lib/mime",
    "/usr/lib/python3",
    "/usr/lib/udev",
    "/usr/lib/systemd",
    "/etc/udev",
    "/usr/local/man",
    "/usr/local/share/man",
    "/usr/share/zoneinfo",
];

/// Files written by package installation, or kept by other rules if they are needed.
const WRITTEN: &[&str] = &[
    "/etc/.pwd.lock",
    "/etc/adduser.conf",
    "/etc/ca-certificates.conf",
    "/etc/environment",
    "/etc/fstab",
    "/etc/group",
    "/etc/gshadow",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/inittab",
    "/etc/issue",
    "/etc/issue.net",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/machine-id",
    "/etc/mailcap",
    "/etc/motd",
    "/etc/mtab",
    "/etc/networks",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/profile",
    "/etc/resolv.conf",
    "/etc/shadow",
    "/etc/shells",
    "/etc/subgid",
    "/etc/subuid",
    "/etc/timezone",
    "/etc/default/locale",
    "/etc/locale.gen",
    "/etc/locale.conf",
    "/root/.bashrc",
    "/root/.profile",
    "/root/.wget-hsts",
    "/root/.bash_history",
    "/etc/os-release",
    "/etc/lsb-release",
    "/etc/vconsole.conf",
    "/.dockerenv",
    "/usr/lib/os-release",
];

/// Names of cache directories, at any path.
const CACHES: &[&[u8]] =
    &[b"__pycache__", b".cache", b".npm", b".pip", b".yarn-cache", b"node_modules/.cache", b".ccache"];

impl Search<'_> {
    /// Marks files that no package owns: added by the image build. Without a package database, that is every file.
    pub(super) fn unowned(&mut self) {
        let view = self.view;
        let has_packages = self.packages.packages.packages().iter().any(|package| package.kind.is_of_distribution());
        let reason = Reason { from: None, how: How::Unowned };
        let mut stack: Vec<(NodeId, Vec<u8>)> = vec![(NodeId::ROOT, Vec::new())];
        while let Some((directory, path)) = stack.pop() {
            for child in view.children(directory) {
                let name = view.tree.name(child);
                let path = [&path[..], b"/", name].concat();
                let is_directory = view.is_directory(child);
                if self.is_needed(child) && !is_directory || is_not_application(&path, name, is_directory, has_packages)
                {
                    continue;
                }
                match view.at(child) {
                    At::Directory => stack.push((child, path)),
                    _ if self.system_owner(child).is_some() => {}
                    At::Link(target) => {
                        // Links that join `/bin` and `/usr/bin` are kept only if something needs them.
                        let is_system = places::is_shared(&path) && !target.starts_with(b"/");
                        let is_choice = target.starts_with(b"/etc/alternatives/");
                        if !has_packages || !(is_system || is_choice) {
                            self.need_link(child, reason, Follow::All);
                        }
                    }
                    At::File(_) => {
                        self.mark(child, reason, Follow::All);
                    }
                    At::Other => {
                        self.mark(child, reason, Follow::Nothing);
                    }
                }
            }
        }
    }

    /// Marks directories that are empty in the image, which programs write into.
    pub(super) fn empty_directories(&mut self) {
        let view = self.view;
        let reason = Reason { from: None, how: How::ExpectedDirectory };
        let mut stack: Vec<(NodeId, Vec<u8>)> = vec![(NodeId::ROOT, Vec::new())];
        while let Some((directory, path)) = stack.pop() {
            for child in view.children(directory).filter(|&child| view.is_directory(child)) {
                let path = [&path[..], b"/", view.tree.name(child)].concat();
                if is_expected(&path) || self.is_made_for_someone(child, &path) {
                    self.mark(child, reason, Follow::Nothing);
                }
                stack.push((child, path));
            }
        }
        for link in ["/var/run", "/var/lock", "/var/mail"] {
            let Some(node) = view.tree.lookup(link.as_bytes()).filter(|&node| view.is_there(node)) else { continue };
            self.need_link(node, reason, Follow::Nothing);
        }
    }

    /// Returns `true` if a directory was made for a user or for writing: an owner other than root, or an uncommon mode.
    fn is_made_for_someone(&self, node: NodeId, path: &[u8]) -> bool {
        let Some(id) = self.view.entry(node) else { return false };
        let owner = self.view.tree.owner(id);
        let is_own = owner.uid != 0 || owner.gid != 0 || self.view.tree.occurrence(id).mode() & 0o1022 != 0;
        let in_use = ["/var/lib/", "/var/log/", "/var/spool/", "/var/cache/", "/run/", "/var/tmp", "/tmp"];
        let manager = [
            "/var/cache/apt",
            "/var/cache/man",
            "/var/lib/apt",
            "/var/log/apt",
            "/var/lib/dpkg",
            "/var/cache/ldconfig",
        ];
        let is_in = |places: &[&str]| places.iter().any(|place| path.starts_with(place.as_bytes()));
        let is_empty = self.view.children(node).next().is_none();
        let is_ours = !is_not_application(path, self.view.tree.name(node), true, true);
        let is_system = ["/usr/", "/etc/", "/lib/", "/boot"];
        !is_in(&manager) && (is_own && is_in(&in_use) || is_empty && is_ours && (is_own || !is_in(&is_system)))
    }
}

/// Returns `true` for directories of the root that programs expect to exist.
fn is_expected(path: &[u8]) -> bool {
    const EXPECTED: [&str; 16] = [
        "/dev",
        "/home",
        "/media",
        "/mnt",
        "/opt",
        "/proc",
        "/root",
        "/run",
        "/srv",
        "/sys",
        "/tmp",
        "/var",
        "/var/log",
        "/var/tmp",
        "/var/cache",
        "/run/lock",
    ];
    EXPECTED.iter().any(|expected| expected.as_bytes() == path)
}

fn is_not_application(path: &[u8], name: &[u8], is_directory: bool, has_packages: bool) -> bool {
    let is_in = |prefix: &&str| {
        path.strip_prefix(prefix.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    };
    if is_directory && CACHES.contains(&name) {
        return true;
    }
    if !has_packages {
        const ALWAYS: [&str; 6] = ["/proc", "/sys", "/var/cache", "/tmp", "/var/log", "/var/tmp"];
        return ALWAYS.iter().any(is_in);
    }
    if is_directory && matches!(path, b"/var/log" | b"/run" | b"/var/run") {
        return false;
    }
    let is_backup = path.starts_with(b"/etc/") && path.ends_with(b"-")
        || path.ends_with(b".dpkg-old")
        || path.ends_with(b".dpkg-dist");
    is_backup
        || NOT_THE_APPLICATION.iter().any(is_in)
        || WRITTEN.iter().any(|written| written.as_bytes() == path)
        || name.ends_with(b".pyc")
        || matches!(name, b"gconv-modules.cache" | b"giomodule.cache" | b"loaders.cache")
            && path.starts_with(b"/usr/lib")
}
