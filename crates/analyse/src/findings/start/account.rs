use hashbrown::HashMap;

use super::super::scene::{Gathered, Hits, Scene};
use super::super::{Evidence, Location, Rule};
use super::Launch;
use nixdive_base::text::counted;
use nixdive_image::{Kind, NodeId, OccurrenceId, display_mode};

/// Lines of a file of accounts that are looked at.
const MOST_LINES: usize = 100_000;

/// A file that names users or groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccountFile {
    /// `/etc/passwd`.
    Users,
    /// `/etc/group`.
    Groups,
}

/// The files that name users and groups, with their paths.
pub const ACCOUNT_FILES: [(AccountFile, &str); 2] =
    [(AccountFile::Users, "/etc/passwd"), (AccountFile::Groups, "/etc/group")];

/// A name that a configuration uses and no file of the image explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName<'a> {
    /// The name.
    pub name: &'a str,
    /// The file that should have it.
    pub file: &'static str,
    /// `user` or `group`.
    pub what: &'static str,
}

/// The names of a group's members.
type Members = Vec<Box<[u8]>>;

/// The users and groups of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    /// By name, user and group.
    users: HashMap<Box<[u8]>, (u32, u32)>,
    /// By name, the group and the names of its members.
    groups: HashMap<Box<[u8]>, (u32, Members)>,
    /// Files that are there and could not be read: of their names nothing is known.
    unread: Vec<AccountFile>,
}

impl Accounts {
    /// Adds what a file says, as passwd(5) and group(5) have it.
    pub fn add(&mut self, file: AccountFile, content: &[u8]) {
        for line in content.split(|&byte| byte == b'\n').take(MOST_LINES) {
            let mut fields = line.split(|&byte| byte == b':');
            let (Some(name), _, id) = (fields.next(), fields.next(), fields.next().and_then(number)) else { continue };
            match file {
                AccountFile::Users => {
                    let group = fields.next().and_then(number).unwrap_or_default();
                    self.users.entry(name.into()).or_insert((id.unwrap_or_default(), group));
                }
                AccountFile::Groups => {
                    let members = fields.next().unwrap_or_default().trim_ascii();
                    let members = members.split(|&byte| byte == b',').map(Into::into).collect();
                    self.groups.entry(name.into()).or_insert((id.unwrap_or_default(), members));
                }
            }
        }
    }

    /// Notes that a file is there and could not be read.
    pub fn unread(&mut self, file: AccountFile) {
        self.unread.push(file);
    }

    /// Adds what was found elsewhere.
    pub fn merge(&mut self, other: Self) {
        self.users.extend(other.users);
        self.groups.extend(other.groups);
        self.unread.extend(other.unread);
    }

    /// The names in a configuration's `User` that the image does not have. Numbers need none.
    #[must_use]
    pub fn unknown_names<'u>(&self, user: &'u str) -> Vec<UnknownName<'u>> {
        let (name, group) = parts(user);
        let mut unknown = Vec::new();
        let is_name = |name: &&str| !name.is_empty() && name.parse::<u32>().is_err();
        for (name, (file, path)) in [name, group].into_iter().zip(ACCOUNT_FILES) {
            let Some(name) = Some(name).filter(is_name) else { continue };
            let (is_known, what) = match file {
                AccountFile::Users => (self.users.contains_key(name.as_bytes()), "user"),
                AccountFile::Groups => (self.groups.contains_key(name.as_bytes()), "group"),
            };
            if !is_known && !self.unread.contains(&file) {
                unknown.push(UnknownName { name, file: path, what });
            }
        }
        unknown
    }

    /// User and groups of a configuration's `User`; `None` for root, and where a name is not known.
    fn identity(&self, user: &str) -> Option<Identity> {
        let (name, group) = parts(user);
        let by_name = self.users.get(name.as_bytes()).copied();
        let by_number = || {
            let uid = name.parse::<u32>().ok()?;
            let known = self.users.values().find(|(known, _)| *known == uid);
            Some((uid, known.map_or(0, |(_, group)| *group)))
        };
        let (uid, mut gid) = by_name.or_else(by_number)?;
        if !group.is_empty() {
            let known = self.groups.get(group.as_bytes()).map(|(gid, _)| *gid);
            gid = known.or_else(|| group.parse().ok())?;
        }
        let is_member = |members: &[Box<[u8]>]| members.iter().any(|member| **member == *name.as_bytes());
        let more = self.groups.values().filter(|(_, members)| is_member(members)).map(|(gid, _)| *gid);
        let groups = std::iter::once(gid).chain(more).collect();
        (uid != 0).then_some(Identity { uid, groups })
    }
}

fn number(field: &[u8]) -> Option<u32> {
    std::str::from_utf8(field).ok()?.trim().parse().ok()
}

/// User and group of a configuration's `User`.
fn parts(user: &str) -> (&str, &str) {
    let user = user.trim();
    user.split_once(':').unwrap_or((user, ""))
}

struct Identity {
    uid: u32,
    groups: Vec<u32>,
}

const EXECUTE: u16 = 1;
const READ: u16 = 4;

impl Identity {
    /// Returns `true` if the account has all the given rights to an entry, by the rules of
    /// inode(7).
    fn may(&self, scene: &Scene<'_>, id: OccurrenceId, rights: u16) -> bool {
        let (occurrence, owner) = (scene.tree.occurrence(id), scene.tree.owner(id));
        let mode = occurrence.mode();
        let shift = match () {
            () if u64::from(owner.uid) == u64::from(self.uid) => 6,
            () if self.groups.iter().any(|&gid| u64::from(owner.gid) == u64::from(gid)) => 3,
            () => 0,
        };
        // Lists of further users and groups may allow more.
        let has_list = || scene.tree.xattrs(id).iter().any(|attribute| attribute.name.starts_with(b"system.posix_acl"));
        mode >> shift & rights == rights || has_list()
    }
}

/// Directories that the configuration's user cannot pass on the way to what is started, and a program that it may not
/// start. `/nix` and the store count wherever an image has them: programs and libraries lie there.
pub(super) fn permissions(scene: &Scene<'_>, launch: &Launch<'_>, found: &mut Gathered) {
    let Some(facts) = scene.facts else { return };
    let Some(identity) = facts.accounts.identity(&scene.image.config.user) else { return };
    let mut nodes: Vec<NodeId> =
        [&b"/nix"[..], b"/nix/store"].iter().filter_map(|path| super::resolve(scene, path)).collect();
    if let Some((node, _)) = launch.first {
        let mut parent = scene.tree.parent(node);
        while let Some(directory) = parent {
            nodes.push(directory);
            parent = scene.tree.parent(directory);
        }
        nodes.push(node);
    }
    nodes.sort_unstable();
    nodes.dedup();
    let mut hits = Hits::new(Rule::NotReadable);
    for node in nodes {
        let Some(id) = scene.tree.visible_at(node, scene.top) else { continue };
        let id = scene.tree.linked(id).unwrap_or(id);
        let occurrence = scene.tree.occurrence(id);
        let rights = match occurrence.kind {
            Kind::Directory | Kind::OpaqueMark => EXECUTE,
            // A script is read by its interpreter.
            Kind::File if facts.scripts.contains(&id) => EXECUTE | READ,
            Kind::File => EXECUTE,
            _ => continue,
        };
        // A file without any execute permission is reported as such.
        let is_told = occurrence.kind == Kind::File && occurrence.mode() & 0o111 == 0;
        if !is_told && !identity.may(scene, id, rights) {
            let owner = scene.tree.owner(id);
            let note = format!("{} {}:{}", display_mode(occurrence.kind, occurrence.mode()), owner.uid, owner.gid);
            let location = Location::Path { node, occurrence: Some(id), layer: Some(occurrence.layer), offset: None };
            hits.add(Evidence { location, bytes: 0, note: Some(note) });
        }
    }
    found.finding(scene, hits, |count| {
        let paths = counted(count, "path");
        format!("{paths} that the configuration's user needs, and has no right to")
    });
}
