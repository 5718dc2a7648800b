//! Assignment of files to store paths.

use hashbrown::HashMap;

use super::File;
use crate::plan::RowSubject;
use nixdive_base::text::display_name;
use nixdive_image::{FileTree, Image, NodeId};
use nixdive_nix::{StorePath, is_name_byte};
use nixdive_packages::{Inventory, PackageIndex};
use nixdive_write::Stability;

/// Files that become one store path.
pub(super) struct Group {
    pub subject: RowSubject,
    /// Name as shown to the user.
    pub shown: String,
    /// Name of the store path, without its hash.
    pub name: String,
    pub stability: Stability,
}

/// System directories at the root; files elsewhere belong to the application.
const OF_SYSTEM: &[&[u8]] = &[
    b"bin", b"boot", b"dev", b"etc", b"home", b"lib", b"lib32", b"lib64", b"libx32", b"media", b"mnt", b"opt", b"proc",
    b"root", b"run", b"sbin", b"srv", b"sys", b"tmp", b"usr", b"var",
];
/// Directories whose subdirectories are separate groups.
const BY_SECOND_NAME: &[&[u8]] = &[b"home", b"opt", b"srv", b"usr", b"var"];
/// Directories with programs and the files that they look for relative to themselves.
const OF_PROGRAMS: &[&[u8]] = &[b"bin", b"lib", b"lib32", b"lib64", b"libx32", b"sbin", b"usr"];
/// Maximum length of a store path's name, bytes; less than Nix allows, so that output names can be added.
const MOST_NAME: usize = 128;

/// Assigns every file to a group and returns the groups.
pub(super) fn group_files(image: &Image, packages: &Inventory, files: &mut [File]) -> Vec<Group> {
    let tree = &image.tree;
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<RowSubject, u32> = HashMap::new();
    for file in files {
        let owner = packages.ownership.owner(file.node);
        let directory = directory_of(tree, file.node);
        let subject = owner.map_or(RowSubject::Files(directory), |package| RowSubject::Package(package.0));
        file.group = *places.entry(subject).or_insert_with(|| {
            groups.push(match owner {
                Some(package) => of_package(packages, package),
                None => of_files(tree, directory, !packages.packages.packages().is_empty()),
            });
            u32::try_from(groups.len() - 1).unwrap_or(u32::MAX)
        });
    }
    groups
}

pub(super) fn of_package(packages: &Inventory, index: PackageIndex) -> Group {
    let package = packages.packages.get(index);
    // An epoch only orders versions and is not expected in a name.
    let version = package.version.split_once(':').map_or(&*package.version, |(_, version)| version);
    Group {
        subject: RowSubject::Package(index.0),
        shown: format!("{} {}", display_name(package.name.as_bytes()), display_name(package.version.as_bytes())),
        name: store_name(format!("{}-{version}", package.name).as_bytes()),
        stability: Stability::Package,
    }
}

/// Returns the group of unowned files below a directory; `is_rest` means that packages own other files there.
fn of_files(tree: &FileTree, directory: NodeId, is_rest: bool) -> Group {
    let path = tree.path(directory);
    let name = path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(&b'-');
    let is_application = directory == NodeId::ROOT;
    Group {
        subject: RowSubject::Files(directory),
        shown: match (is_application, is_rest) {
            (true, _) => "application".to_owned(),
            (false, true) => format!("{} (unowned)", display_name(&path)),
            (false, false) => display_name(&path).into_owned(),
        },
        name: if is_application { "application".to_owned() } else { store_name(&name) },
        stability: Stability::Application,
    }
}

/// Returns the directory whose unowned files stay together with a path, so that programs find files relative to their
/// real path.
fn directory_of(tree: &FileTree, node: NodeId) -> NodeId {
    let mut above = vec![node];
    while let Some(parent) = above.last().and_then(|&at| tree.parent(at)) {
        above.push(parent);
    }
    above.reverse();
    let Some(&first) = above.get(1) else { return NodeId::ROOT };
    let name = tree.name(first);
    if !OF_SYSTEM.contains(&name) {
        return NodeId::ROOT;
    }
    let is_local = above.get(2).is_some_and(|&second| tree.name(second) == b"local");
    if OF_PROGRAMS.contains(&name) && !is_local {
        return NodeId::ROOT;
    }
    let Some(&second) = above.get(2) else { return first };
    // A file directly in the first directory has no second component.
    if BY_SECOND_NAME.contains(&name) && above.len() > 3 { second } else { first }
}

/// Returns a text as a valid name of a store path.
fn store_name(text: &[u8]) -> String {
    let letter = |&byte: &u8| if is_name_byte(byte) { char::from(byte) } else { '_' };
    let name: String = text.iter().take(MOST_NAME.min(StorePath::MAX_NAME)).map(letter).collect();
    let name = name.trim_start_matches('.');
    if name.is_empty() { "files".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::store_name;

    #[test]
    fn a_name_holds_what_nix_allows() {
        let cases = [
            ("nginx-light-1.22.1-9+deb12u10", "nginx-light-1.22.1-9+deb12u10"),
            ("a~b c", "a_b_c"),
            (".hidden", "hidden"),
            ("", "files"),
        ];
        for (text, name) in cases {
            assert_eq!(store_name(text.as_bytes()), name);
            let base_name = format!("{}-{name}", "0".repeat(32));
            assert!(nixdive_nix::StorePath::parse_base_name(base_name.as_bytes()).is_ok(), "{name}");
        }
    }
}
