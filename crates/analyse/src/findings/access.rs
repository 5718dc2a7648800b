use super::capability::permitted;
use super::scene::{Gathered, Hits, Scene};
use super::{Evidence, Location, Rule, Severity};
use nixdive_base::text::{counted, display_name};
use nixdive_image::{Kind, display_mode};

/// Set-id programs that distributions ship.
const USUAL: &[&[u8]] = &[
    b"su",
    b"sudo",
    b"mount",
    b"umount",
    b"passwd",
    b"chsh",
    b"chfn",
    b"newgrp",
    b"sg",
    b"gpasswd",
    b"chage",
    b"expiry",
    b"wall",
    b"write",
    b"ssh-agent",
    b"ssh-keysign",
    b"unix_chkpwd",
    b"pam_timestamp_check",
    b"ping",
    b"ping6",
    b"bbsuid",
    b"dbus-daemon-launch-helper",
    b"crontab",
    b"at",
    b"newuidmap",
    b"newgidmap",
    b"fusermount",
    b"fusermount3",
    b"utempter",
    b"pkexec",
    b"polkit-agent-helper-1",
    b"userhelper",
    b"grub2-set-bootflag",
    b"unix_update",
    b"bsd-write",
];

/// Programs with rights of their own, paths that everybody may write, and who the program runs as.
pub(super) fn find(scene: &Scene<'_>, found: &mut Gathered) {
    set_id(scene, found);
    capabilities(scene, found);
    world_writable(scene, found);
    if !scene.image.is_closure() {
        user(scene, found);
    }
}

fn set_id(scene: &Scene<'_>, found: &mut Gathered) {
    let mut hits = Hits::new(Rule::SetUid);
    for &(node, id) in &scene.visible {
        let occurrence = scene.tree.occurrence(id);
        let mode = occurrence.mode();
        // Set-gid without the group's right to execute means locking, not rights.
        let is_set = mode & 0o4000 != 0 || mode & 0o2010 == 0o2010;
        if !matches!(occurrence.kind, Kind::File | Kind::HardLink) || !is_set {
            continue;
        }
        let is_usual = USUAL.contains(&scene.tree.name(node));
        if !is_usual {
            hits.severity = Severity::Warning;
        }
        let owner = scene.tree.owner(id);
        let unusual = if is_usual { "" } else { ", in no distribution's usual set" };
        let note = format!("{} {}:{}{unusual}", display_mode(occurrence.kind, mode), owner.uid, owner.gid);
        hits.add(Evidence { location: scene.location(id, None), bytes: 0, note: Some(note) });
    }
    found.finding(scene, hits, |count| {
        let run =
            if count == 1 { "program runs with the rights of its" } else { "programs run with the rights of their" };
        format!("{count} {run} owner or group (set-id)")
    });
}

fn capabilities(scene: &Scene<'_>, found: &mut Gathered) {
    let mut hits = Hits::new(Rule::FileCapability);
    for &(_, id) in &scene.visible {
        let attributes = scene.tree.xattrs(id);
        if let Some(attribute) = attributes.iter().find(|attribute| &*attribute.name == b"security.capability") {
            let note = Some(permitted(&attribute.value));
            hits.add(Evidence { location: scene.location(id, None), bytes: 0, note });
        }
    }
    found.finding(scene, hits, |count| format!("{} with file capabilities", counted(count, "program")));
}

fn world_writable(scene: &Scene<'_>, found: &mut Gathered) {
    let mut hits = Hits::new(Rule::WorldWritable);
    for &(_, id) in &scene.visible {
        let occurrence = scene.tree.occurrence(id);
        let mode = occurrence.mode();
        let is_open = match occurrence.kind {
            Kind::Directory => mode & 0o1002 == 0o0002,
            Kind::File => mode & 0o0002 != 0,
            _ => false,
        };
        if is_open {
            let note = Some(display_mode(occurrence.kind, mode));
            hits.add(Evidence { location: scene.location(id, None), bytes: 0, note });
        }
    }
    found.finding(scene, hits, |count| {
        format!("{} writable by everyone, without the sticky bit", counted(count, "path"))
    });
}

fn user(scene: &Scene<'_>, found: &mut Gathered) {
    let user = &scene.image.config.user;
    let name = user.split(':').next().unwrap_or_default();
    let is_zero = !name.is_empty() && name.bytes().all(|byte| byte == b'0');
    if !(name.is_empty() || name == "root" || is_zero) {
        return;
    }
    let note = match name {
        "" => "no user is set".to_owned(),
        _ => display_name(user.as_bytes()).into_owned(),
    };
    let mut hits = Hits::new(Rule::RootUser);
    hits.add(Evidence { location: Location::Field("user"), bytes: 0, note: Some(note) });
    found.finding(scene, hits, |_| "it runs as root".to_owned());
}
