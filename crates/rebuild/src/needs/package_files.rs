use super::search::{Follow, Search};
use super::view::At;
use super::{How, Reason};
use nixdive_image::NodeId;
use nixdive_packages::PackageIndex;

/// Directories of `/etc` used by the system of a machine rather than by programs.
const OF_THE_SYSTEM: &[&str] = &[
    "/etc/init.d/",
    "/etc/rc0.d/",
    "/etc/rc1.d/",
    "/etc/rc2.d/",
    "/etc/rc3.d/",
    "/etc/rc4.d/",
    "/etc/rc5.d/",
    "/etc/rc6.d/",
    "/etc/rcS.d/",
    "/etc/cron",
    "/etc/logrotate.d/",
    "/etc/systemd/",
    "/etc/ufw/",
    "/etc/apt/",
    "/etc/dpkg/",
    "/etc/profile.d/",
    "/etc/bash_completion.d/",
    "/etc/skel/",
    "/etc/kernel/",
    "/etc/udev/",
    "/etc/update-motd.d/",
    "/etc/insserv",
    "/etc/apparmor",
    "/etc/alternatives/",
    "/etc/sysctl.d/",
    "/etc/modprobe.d/",
    "/etc/network/",
    "/etc/default/",
    "/etc/pam.d/",
    "/etc/security/",
    "/etc/xdg/",
    "/etc/dhcp/",
    "/etc/emacs/",
    "/etc/menu",
    "/etc/initramfs-tools/",
    "/etc/ppp/",
    "/etc/NetworkManager/",
    "/etc/resolvconf/",
    "/etc/ldap/schema/",
];

impl Search<'_> {
    /// Marks the configuration files of packages with at least one needed program or library.
    pub(super) fn package_configuration(&mut self) {
        let mut users: Vec<(PackageIndex, NodeId)> = Vec::new();
        for (node, _) in &self.programs {
            if let Some(owner) = self.system_owner(*node)
                && !users.iter().any(|(known, _)| *known == owner)
            {
                users.push((owner, *node));
            }
        }
        for (package, node) in users {
            let reason = Reason { from: Some(node), how: How::PackageConfiguration };
            for &file in self.packages.ownership.files(package) {
                // Most files of a package are elsewhere, which the first directory shows without the full path.
                if !self.is_in_etc(file) {
                    continue;
                }
                let path = self.view.tree.path(file);
                if OF_THE_SYSTEM.iter().any(|place| path.starts_with(place.as_bytes())) {
                    continue;
                }
                match self.view.at(file) {
                    At::Link(_) => self.need_link(file, reason, Follow::All),
                    At::File(_) => {
                        self.mark(file, reason, Follow::All);
                    }
                    At::Directory | At::Other => {}
                }
            }
        }
    }

    fn is_in_etc(&self, node: NodeId) -> bool {
        let mut at = node;
        while let Some(parent) = self.view.tree.parent(at) {
            if parent == NodeId::ROOT {
                return self.view.tree.name(at) == b"etc";
            }
            at = parent;
        }
        false
    }
}
