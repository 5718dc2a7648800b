use super::elf::{Abilities, Elf};
use super::linker;
use super::read::Facts;
use super::search::{Follow, Search};
use super::{How, ImplicitNeed, Reason};
use nixdive_image::NodeId;

const NAME_SERVICES: [&str; 10] = [
    "/etc/nsswitch.conf",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/hostname",
    "/etc/services",
    "/etc/protocols",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/networks",
    "/etc/netsvc.conf",
];
const ACCOUNTS: [&str; 2] = ["/etc/passwd", "/etc/group"];
const SYSTEM_NAMES: [&str; 2] = ["/etc/os-release", "/etc/lsb-release"];
const SHADOWS: [&str; 2] = ["/etc/shadow", "/etc/gshadow"];
const CERTIFICATES: [&str; 13] = [
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/openssl.cnf",
    "/etc/ssl/ct_log_list.cnf",
    "/etc/ssl1.1",
    "/usr/lib/ssl/certs",
    "/usr/lib/ssl/cert.pem",
    "/usr/lib/ssl/openssl.cnf",
    "/usr/lib/ssl/private",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/openssl.cnf",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/ca-trust/extracted",
];
const TERMINALS: [&str; 4] = ["/usr/share/terminfo", "/usr/lib/terminfo", "/lib/terminfo", "/etc/terminfo"];

impl Search<'_> {
    /// Marks the files that needed programs open implicitly. `switch` is the content of `nsswitch.conf`.
    pub(super) fn implicit_needs(&mut self, switch: Option<&[u8]>) {
        let programs = self.programs.clone();
        let elves = || {
            programs.iter().filter_map(|(node, facts)| match &**facts {
                Facts::Elf(elf) => Some((*node, &**elf)),
                _ => None,
            })
        };
        let links = |names: &[&str]| elves().find(|(_, elf)| needs_any(elf, names)).map(|(node, _)| node);
        self.accounts(elves().next().map(|(node, _)| node));
        if let Some((first, _)) = elves().next() {
            self.keep(&SYSTEM_NAMES, first, ImplicitNeed::SystemName);
        }
        if let Some((libc, elf)) = elves().find(|(_, elf)| elf.soname.as_deref() == Some(b"libc.so.6")) {
            self.name_services(libc, elf, switch);
            self.keep(
                &["/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ld.so.cache", "/etc/ld.so.preload"],
                libc,
                ImplicitNeed::DynamicLinker,
            );
        } else if let Some((musl, _)) = elves().find(|(_, elf)| elf.is_c_library()) {
            self.keep(&NAME_SERVICES[1..], musl, ImplicitNeed::NameServices);
            for path in super::glob::expand(self.view, b"/etc/ld-musl-*.path") {
                self.mark(
                    path,
                    Reason { from: Some(musl), how: How::Implicit(ImplicitNeed::DynamicLinker) },
                    Follow::Nothing,
                );
            }
        }
        if let Some(node) =
            links(&["libssl.so", "libgnutls.so", "libnss3.so", "libmbedtls.so", "libwolfssl.so", "libcurl"])
        {
            self.keep(&CERTIFICATES, node, ImplicitNeed::Certificates);
        }
        if let Some(node) = links(&["libtinfo.so", "libncurses", "libreadline.so", "libedit.so"]) {
            self.keep(&TERMINALS, node, ImplicitNeed::Terminals);
        }
        if let Some(node) = links(&["libpam.so"]) {
            self.authentication(node, elves().find(|(found, _)| *found == node).map(|(_, elf)| elf));
        }
        self.abilities();
        self.time_zone(elves().next().map(|(node, _)| node));
        self.locales(elves().next().map(|(node, _)| node));
    }

    pub(super) fn marked_count(&self) -> usize {
        self.needs.reasons.iter().filter(|reason| reason.is_some()).count()
    }

    fn keep(&mut self, paths: &[&str], from: NodeId, need: ImplicitNeed) {
        let reason = Reason { from: Some(from), how: How::Implicit(need) };
        for path in paths {
            if let Some(node) = self.need_path(path.as_bytes(), reason, Follow::Nothing)
                && self.view.is_directory(node)
            {
                self.need_tree(node, reason, Follow::Nothing, &|_, _| true);
            }
        }
    }

    fn accounts(&mut self, from: Option<NodeId>) {
        for path in ACCOUNTS {
            self.need_path(
                path.as_bytes(),
                Reason { from, how: How::Implicit(ImplicitNeed::Accounts) },
                Follow::Nothing,
            );
        }
    }

    /// Marks the files of name services, and the library of each service in `nsswitch.conf`.
    fn name_services(&mut self, libc: NodeId, elf: &Elf, switch: Option<&[u8]>) {
        self.keep(&NAME_SERVICES, libc, ImplicitNeed::NameServices);
        for service in services(switch.unwrap_or(b"hosts: files dns\n")) {
            let name = [b"libnss_", service, b".so.2"].concat();
            self.ask(libc, elf, How::Implicit(ImplicitNeed::NameServices), vec![name.into()], false);
        }
    }

    /// Marks PAM's configuration and the modules that it names.
    fn authentication(&mut self, node: NodeId, elf: Option<&Elf>) {
        self.keep(&["/etc/pam.d", "/etc/pam.conf", "/etc/security", "/etc/login.defs"], node, ImplicitNeed::Accounts);
        self.keep(&SHADOWS, node, ImplicitNeed::Accounts);
        let Some(triplet) = elf.and_then(|elf| elf.machine.triplet()) else { return };
        let patterns = [
            format!("/usr/lib/{triplet}/security/*.so"),
            "/usr/lib64/security/*.so".into(),
            "/usr/lib/security/*.so".into(),
        ];
        for found in patterns.iter().flat_map(|pattern| super::glob::expand(self.view, pattern.as_bytes())) {
            let reason = Reason { from: Some(node), how: How::Plugin };
            self.need_tree(found, reason, Follow::Programs, &|_, _| true);
        }
    }

    /// Marks the needs that follow from capabilities of programs.
    fn abilities(&mut self) {
        for (ability, node) in self.able.clone() {
            if ability == Abilities::SHELL {
                let reason = Reason { from: Some(node), how: How::ScriptCommand };
                if self.need_path(b"/bin/sh", reason, Follow::All).is_some() {
                    let message = format!("{} runs shell commands that its file does not reveal", self.shown(node));
                    self.doubt(Some(node), message);
                }
            } else if ability == Abilities::STARTS_BY_NAME {
                let message = format!("{} starts programs by names that its file does not reveal", self.shown(node));
                self.doubt(Some(node), message);
            } else if ability == Abilities::CONVERTS {
                let reason = Reason { from: Some(node), how: How::Implicit(ImplicitNeed::CharacterSets) };
                for pattern in [&b"/usr/lib/*-linux-gnu*/gconv"[..], b"/usr/lib64/gconv", b"/usr/lib/gconv"] {
                    for found in super::glob::expand(self.view, pattern) {
                        self.need_tree(found, reason, Follow::Programs, &|_, _| true);
                    }
                }
            } else if ability == Abilities::LOCALES {
                // Default locale of containers; it is small and generally useful.
                self.keep(&["/usr/lib/locale/C.utf8"], node, ImplicitNeed::Locales);
            } else if ability == Abilities::CERTIFICATES {
                self.keep(&CERTIFICATES, node, ImplicitNeed::Certificates);
            } else if ability == Abilities::SHADOW {
                self.keep(&SHADOWS, node, ImplicitNeed::Accounts);
            }
        }
    }

    fn time_zone(&mut self, from: Option<NodeId>) {
        let reason = Reason { from, how: How::Implicit(ImplicitNeed::TimeZones) };
        self.need_path(b"/etc/localtime", reason, Follow::Nothing);
        self.need_path(b"/etc/timezone", reason, Follow::Nothing);
        let zone = self.environment.iter().rev().find(|(name, _)| name == b"TZ").map(|(_, zone)| zone.clone());
        if let Some(zone) = zone {
            let zone = zone.strip_prefix(b":").unwrap_or(&zone);
            let path = if zone.starts_with(b"/") { zone.to_vec() } else { [b"/usr/share/zoneinfo/", zone].concat() };
            let number = self.config.env.iter().position(|entry| entry.starts_with("TZ=")).unwrap_or_default();
            let how = How::Environment(u32::try_from(number).unwrap_or(u32::MAX));
            self.need_path(&path, Reason { from: None, how }, Follow::Nothing);
        }
        let importer =
            [&b"zoneinfo"[..], b"pytz", b"dateutil", b"tzlocal"].iter().find_map(|name| self.is_imported(name));
        let named = || self.able.iter().find(|(ability, _)| *ability == Abilities::ZONES).map(|&(_, node)| node);
        if let Some(node) = importer.or_else(named) {
            let reason = Reason { from: Some(node), how: How::Implicit(ImplicitNeed::TimeZones) };
            if let Some(zones) = self.view.find(b"/usr/share/zoneinfo") {
                self.need_tree(zones, reason, Follow::Nothing, &|name, is_directory| {
                    !(is_directory && matches!(name, b"right" | b"posix"))
                });
            }
        }
    }

    /// Marks the locale that the environment selects.
    fn locales(&mut self, from: Option<NodeId>) {
        let is_locale = |name: &[u8]| matches!(name, b"LANG" | b"LC_ALL" | b"LANGUAGE") || name.starts_with(b"LC_");
        let asked: Vec<Vec<u8>> =
            self.environment.iter().filter(|(name, _)| is_locale(name)).map(|(_, value)| value.clone()).collect();
        let reason = Reason { from, how: How::Implicit(ImplicitNeed::Locales) };
        for locale in asked.iter().filter(|locale| !locale.is_empty() && !matches!(locale.as_slice(), b"C" | b"POSIX"))
        {
            let Some(directory) = self.view.find(b"/usr/lib/locale") else { return };
            let wanted = normalised(locale);
            let view = self.view;
            let found: Vec<NodeId> =
                view.children(directory).filter(|&child| normalised(view.tree.name(child)) == wanted).collect();
            for &node in &found {
                self.need_tree(node, reason, Follow::Nothing, &|_, _| true);
            }
            if found.is_empty() {
                self.need_path(b"/usr/lib/locale/locale-archive", reason, Follow::Nothing);
            }
        }
    }

    /// Marks the home directory of the user that programs run as.
    pub(super) fn home(&mut self) -> Result<(), super::NeedsError> {
        let Some(passwd) = self.view.find(b"/etc/passwd") else { return Ok(()) };
        let text = self.texts(&[passwd])?.remove(&passwd).unwrap_or_default();
        let user = self.config.user.split(':').next().filter(|user| !user.is_empty()).unwrap_or("0").as_bytes();
        for line in text.split(|&byte| byte == b'\n') {
            let fields: Vec<&[u8]> = line.split(|&byte| byte == b':').take(8).collect();
            if let [name, _, number, _, _, home, ..] = fields[..]
                && (name == user || number == user)
            {
                let reason = Reason { from: Some(passwd), how: How::ExpectedDirectory };
                self.need_path(home, reason, Follow::Nothing);
            }
        }
        Ok(())
    }

    /// Reads the files that determine where libraries are found.
    pub(super) fn read_linker(&mut self) -> Result<(), super::NeedsError> {
        let mut nodes: Vec<NodeId> =
            [linker::CACHE, linker::CONFIGURATION].iter().filter_map(|path| self.view.find(path)).collect();
        for pattern in [&b"/etc/ld-musl-*.path"[..], &[linker::CONFIGURATION_PARTS, b"/*"].concat()] {
            nodes.extend(super::glob::expand(self.view, pattern));
        }
        let texts = self.texts(&nodes)?;
        self.linker = linker::Linker::read(self.view, &|node| texts.get(&node).cloned());
        Ok(())
    }
}

fn needs_any(elf: &Elf, names: &[&str]) -> bool {
    elf.needed.iter().any(|needed| names.iter().any(|name| needed.starts_with(name.as_bytes())))
}

/// Returns a locale name with a normalized character set.
fn normalised(locale: &[u8]) -> Vec<u8> {
    locale.iter().filter(|byte| **byte != b'-').map(u8::to_ascii_lowercase).collect()
}

/// Returns the services in `nsswitch.conf`, without duplicates.
fn services(switch: &[u8]) -> Vec<&[u8]> {
    let mut found: Vec<&[u8]> = Vec::new();
    for line in switch.split(|&byte| byte == b'\n').take(1000) {
        let line = line.split(|&byte| byte == b'#').next().unwrap_or_default();
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let words = line.get(colon + 1..).unwrap_or_default().split(|byte| b" \t".contains(byte)).take(100);
        let is_service =
            |word: &&[u8]| !word.is_empty() && word.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        for word in words.filter(is_service) {
            if !found.contains(&word) {
                found.push(word);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_read_without_their_actions() {
        let switch = b"# comment\npasswd: files systemd\nhosts:  files mymachines [NOTFOUND=return] dns # dns\n";
        assert_eq!(services(switch), [&b"files"[..], b"systemd", b"mymachines", b"dns"]);
    }
}
