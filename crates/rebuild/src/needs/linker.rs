use hashbrown::HashMap;

use super::elf::{Elf, Machine};
use super::linker_cache;
use super::view::View;
use nixdive_image::NodeId;

/// Maximum number of directories in one list.
pub(super) const MOST_DIRECTORIES: usize = 1024;
/// Maximum number of files included in the linker's configuration.
const MOST_INCLUDED: usize = 256;

/// Library search of the dynamic linkers of an image: glibc's, according to ld.so(8), and musl's.
#[derive(Debug, Default)]
pub(super) struct Linker {
    /// Paths in glibc's cache, by library name.
    cache: HashMap<Box<[u8]>, Vec<Box<[u8]>>>,
    /// Directories in `ld.so.conf`.
    configured: Vec<Box<[u8]>>,
    /// Directories in musl's path file; `None` if there is none.
    musl: Option<Vec<Box<[u8]>>>,
}

/// glibc's cache of libraries.
pub(super) const CACHE: &[u8] = b"/etc/ld.so.cache";
/// glibc's configuration file.
pub(super) const CONFIGURATION: &[u8] = b"/etc/ld.so.conf";
/// Directory of glibc's configuration parts.
pub(super) const CONFIGURATION_PARTS: &[u8] = b"/etc/ld.so.conf.d";

/// Input of the search for a library.
#[derive(Debug, Clone)]
pub(super) struct LibrarySearch {
    /// `DT_RPATH` of the file and its loaders, each with the directory of its file, unless `DT_RUNPATH` is set.
    pub rpaths: Vec<(Box<[u8]>, Vec<u8>)>,
    /// `LD_LIBRARY_PATH`.
    pub environment: Vec<u8>,
    /// `DT_RUNPATH`, with the directory of the file.
    pub runpath: Option<(Box<[u8]>, Vec<u8>)>,
    /// Class and machine of the file.
    pub machine: Machine,
    /// Path of the dynamic linker, if known.
    pub interpreter: Option<Vec<u8>>,
}

impl LibrarySearch {
    /// Returns the paths for a name that contains a slash.
    pub fn paths_of(&self, name: &[u8]) -> Vec<Vec<u8>> {
        let origin = self.runpath.as_ref().map(|(_, origin)| origin.clone());
        let origin = origin.or_else(|| self.rpaths.first().map(|(_, origin)| origin.clone())).unwrap_or_default();
        expand(name, &origin, self.machine)
    }

    fn is_musl(&self) -> bool {
        self.interpreter.as_ref().is_some_and(|path| memchr::memmem::find(path, b"ld-musl").is_some())
    }

    /// Returns `true` if Nix built the linker: it does not use directories and files outside the store. Nix puts it
    /// into `lib`; in a store path that a rebuild made from a distribution's package it is deeper, and works as before.
    fn is_of_nix(&self) -> bool {
        let path = self.interpreter.as_deref().and_then(|path| path.strip_prefix(b"/nix/store/"));
        let mut parts = path.unwrap_or_default().split(|&byte| byte == b'/').skip(1);
        parts.next() == Some(b"lib") && parts.next().is_some() && parts.next().is_none()
    }
}

impl Linker {
    /// Reads the linker files of an image; `content` returns the bytes of a file.
    pub fn read(view: &View<'_>, content: &dyn Fn(NodeId) -> Option<Vec<u8>>) -> Self {
        let find = |path: &[u8]| view.find(path).and_then(content);
        let mut linker = Self::default();
        if let Some(bytes) = find(CACHE) {
            for entry in linker_cache::read(&bytes) {
                linker.cache.entry(entry.name.into()).or_default().push(entry.path.into());
            }
        }
        linker.configured = configured(view, &find);
        linker.musl = view
            .find(b"/etc")
            .and_then(|etc| view.children(etc).find(|&node| is_musl_path_file(view.tree.name(node))))
            .and_then(content)
            .map(|bytes| {
                bytes.split(|byte| b"\n:".contains(byte)).filter(|line| !line.is_empty()).map(Into::into).collect()
            });
        linker
    }

    /// Returns the directories in which libraries are searched, in order.
    pub fn directories(&self, search: &LibrarySearch) -> SearchPath {
        let mut path = SearchPath { uses_cache: !search.is_musl() && !search.is_of_nix(), ..SearchPath::default() };
        for (rpath, origin) in &search.rpaths {
            add_list(&mut path.before_cache, rpath, origin, search.machine);
        }
        add_list(&mut path.before_cache, &search.environment, b"", search.machine);
        if let Some((runpath, origin)) = &search.runpath {
            add_list(&mut path.before_cache, runpath, origin, search.machine);
        }
        let last = &mut path.after_cache;
        if search.is_musl() {
            let defaults = [&b"/lib"[..], b"/usr/local/lib", b"/usr/lib"];
            match &self.musl {
                Some(directories) => directories.iter().for_each(|directory| add(last, directory)),
                None => defaults.iter().for_each(|directory| add(last, directory)),
            }
        } else if !search.is_of_nix() {
            self.configured.iter().for_each(|directory| add(last, directory));
            defaults(search.machine).iter().for_each(|directory| add(last, directory));
        }
        if let Some(directory) = search.interpreter.as_deref().and_then(parent) {
            add(last, directory);
        }
        path
    }

    /// Returns the paths for a name in glibc's cache.
    pub fn cached(&self, name: &[u8]) -> &[Box<[u8]>] {
        let paths = self.cache.get(name).map(Vec::as_slice).unwrap_or_default();
        paths.get(..MOST_DIRECTORIES).unwrap_or(paths)
    }
}

/// Search order for libraries.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SearchPath {
    /// Directories before the cache.
    pub before_cache: Vec<Vec<u8>>,
    /// True if glibc's cache is used next.
    pub uses_cache: bool,
    /// Directories after the cache.
    pub after_cache: Vec<Vec<u8>>,
}

fn add(directories: &mut Vec<Vec<u8>>, directory: &[u8]) {
    if directory.first() == Some(&b'/') && directories.len() < MOST_DIRECTORIES {
        directories.push(directory.to_vec());
    }
}

fn add_list(directories: &mut Vec<Vec<u8>>, list: &[u8], origin: &[u8], machine: Machine) {
    for part in list.split(|byte| b":;".contains(byte)).take(MOST_DIRECTORIES) {
        if directories.len() >= MOST_DIRECTORIES {
            return;
        }
        expand(part, origin, machine).iter().for_each(|directory| add(directories, directory));
    }
}

fn is_musl_path_file(name: &[u8]) -> bool {
    name.starts_with(b"ld-musl-") && name.ends_with(b".path")
}

/// Returns the directories in `ld.so.conf` and in the files that it includes, in order.
fn configured(view: &View<'_>, find: &dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Vec<Box<[u8]>> {
    let mut directories: Vec<Box<[u8]>> = Vec::new();
    let mut files: std::collections::VecDeque<Vec<u8>> = [CONFIGURATION.to_vec()].into();
    let mut read = 0;
    while let Some(path) = files.pop_front() {
        read += 1;
        if read > MOST_INCLUDED || directories.len() > MOST_DIRECTORIES {
            break;
        }
        let bytes = find(&path).unwrap_or_default();
        for line in bytes.split(|&byte| byte == b'\n') {
            let line = line.split(|&byte| byte == b'#').next().unwrap_or_default().trim_ascii();
            let Some(pattern) = line.strip_prefix(b"include").map(<[u8]>::trim_ascii) else {
                let directory = line.split(|byte| b"= \t".contains(byte)).next().unwrap_or_default();
                if directory.first() == Some(&b'/') {
                    directories.push(directory.into());
                }
                continue;
            };
            let absolute = if pattern.first() == Some(&b'/') { pattern.to_vec() } else { [b"/etc/", pattern].concat() };
            files.extend(super::glob::expand(view, &absolute).into_iter().map(|node| view.tree.path(node)));
        }
    }
    directories
}

/// Returns glibc's default directories, in Debian's form and in others'.
fn defaults(machine: Machine) -> Vec<Vec<u8>> {
    let mut directories = Vec::new();
    if let Some(triplet) = machine.triplet() {
        directories.extend(["/lib/", "/usr/lib/"].map(|place| [place, triplet].concat().into_bytes()));
    }
    let plain: &[&str] = match (machine.wide, machine.number) {
        (true, _) => &["/lib64", "/usr/lib64", "/lib", "/usr/lib"],
        (false, 3) => &["/lib32", "/usr/lib32", "/lib", "/usr/lib"],
        (false, _) => &["/lib", "/usr/lib"],
    };
    directories.extend(plain.iter().map(|place| place.as_bytes().to_vec()));
    directories
}

/// Expands `$ORIGIN`, `$LIB` and `$PLATFORM`; returns several paths if `$LIB` is ambiguous.
pub(super) fn expand(text: &[u8], origin: &[u8], machine: Machine) -> Vec<Vec<u8>> {
    let libs: Vec<Vec<u8>> = match memchr::memmem::find(text, b"LIB") {
        Some(_) => {
            let triplet = machine.triplet().map(|triplet| [b"lib/", triplet.as_bytes()].concat());
            triplet.into_iter().chain([b"lib64".to_vec(), b"lib".to_vec()]).collect()
        }
        None => vec![b"lib".to_vec()],
    };
    let put = |lib: &Vec<u8>| {
        let tokens: [(&[u8], &[u8]); 3] =
            [(b"ORIGIN", origin), (b"LIB", lib), (b"PLATFORM", machine.platform().as_bytes())];
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(&byte) = rest.first() {
            let token = tokens.iter().find_map(|&(name, value)| {
                let plain = rest.strip_prefix(b"$").and_then(|rest| rest.strip_prefix(name));
                let braced =
                    || rest.strip_prefix(b"${").and_then(|r| r.strip_prefix(name)).and_then(|r| r.strip_prefix(b"}"));
                plain.or_else(braced).map(|behind| (value, behind))
            });
            match token {
                Some((value, behind)) => {
                    out.extend_from_slice(value);
                    rest = behind;
                }
                None => {
                    out.push(byte);
                    rest = rest.get(1..).unwrap_or_default();
                }
            }
        }
        out
    };
    libs.iter().map(put).collect()
}

/// Returns the directory of a path.
pub(super) fn parent(path: &[u8]) -> Option<&[u8]> {
    path.get(..memchr::memrchr(b'/', path)?)
}

/// Returns `true` if a library can be loaded into a process of this class and machine.
pub(super) fn fits(elf: &Elf, machine: Machine) -> bool {
    elf.is_loadable && elf.machine == machine
}

#[cfg(test)]
mod tests {
    use super::*;
    use nixdive_image::testing::tree;

    const X86_64: Machine = Machine { wide: true, big_endian: false, number: 62 };

    fn search() -> LibrarySearch {
        LibrarySearch { rpaths: Vec::new(), environment: Vec::new(), runpath: None, machine: X86_64, interpreter: None }
    }

    /// Returns the paths at which a library is searched, in order.
    fn paths(linker: &Linker, name: &str, search: &LibrarySearch) -> Vec<String> {
        let path = linker.directories(search);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let within = |directory: &Vec<u8>| format!("{}/{name}", text(directory));
        let cached = linker.cached(name.as_bytes()).iter().filter(|_| path.uses_cache).map(|path| text(path));
        path.before_cache.iter().map(within).chain(cached).chain(path.after_cache.iter().map(within)).collect()
    }

    #[test]
    fn directories_come_in_the_order_of_the_dynamic_linker() {
        let tree = tree(&[&["f etc/ld.so.conf 1", "f etc/ld.so.conf.d/a.conf 1", "f etc/ld.so.conf.d/b.txt 1"]]);
        let view = View::new(&tree).unwrap();
        let content = |node: NodeId| match tree.path(node).as_slice() {
            b"/etc/ld.so.conf" => Some(b"include /etc/ld.so.conf.d/*.conf\n/opt/last\n".to_vec()),
            b"/etc/ld.so.conf.d/a.conf" => Some(b"# comment\n/opt/first # why\n".to_vec()),
            _ => None,
        };
        let linker = Linker::read(&view, &content);
        let mut search = search();
        search.rpaths = vec![(b"$ORIGIN/../lib:/r".as_slice().into(), b"/app/bin".to_vec())];
        search.environment = b"/env".to_vec();
        search.runpath = Some((b"${ORIGIN}".as_slice().into(), b"/app/bin".to_vec()));
        let found = paths(&linker, "l.so", &search);
        let expected = [
            "/app/bin/../lib/l.so",
            "/r/l.so",
            "/env/l.so",
            "/app/bin/l.so",
            "/opt/last/l.so",
            "/opt/first/l.so",
            "/lib/x86_64-linux-gnu/l.so",
        ];
        assert_eq!(found[..expected.len()], expected);
    }

    #[test]
    fn the_linker_of_a_store_looks_at_nothing_outside_and_musl_at_its_own_directories() {
        let tree = tree(&[&["f etc/x 1"]]);
        let linker = Linker::read(&View::new(&tree).unwrap(), &|_| None);
        let of = |interpreter: &str| LibrarySearch { interpreter: Some(interpreter.into()), ..search() };
        let found = paths(&linker, "l.so", &of("/nix/store/x-glibc/lib/ld-linux-x86-64.so.2"));
        assert_eq!(found, ["/nix/store/x-glibc/lib/l.so"]);
        let rebuilt = paths(&linker, "l.so", &of("/nix/store/x-libc6/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"));
        assert!(rebuilt.len() > 1, "one of a distribution looks where it did before: {rebuilt:?}");
        let found = paths(&linker, "l.so", &of("/lib/ld-musl-x86_64.so.1"));
        assert_eq!(found, ["/lib/l.so", "/usr/local/lib/l.so", "/usr/lib/l.so", "/lib/l.so"]);
    }

    #[test]
    fn a_name_with_a_slash_is_a_path() {
        let mut search = search();
        search.runpath = Some((b"".as_slice().into(), b"/app".to_vec()));
        let names = |name: &[u8]| -> Vec<String> {
            search.paths_of(name).into_iter().map(|path| String::from_utf8(path).unwrap()).collect()
        };
        assert_eq!(names(b"$ORIGIN/p.so"), ["/app/p.so"]);
        assert_eq!(names(b"/usr/$LIB/p.so"), ["/usr/lib/x86_64-linux-gnu/p.so", "/usr/lib64/p.so", "/usr/lib/p.so"]);
    }

    #[test]
    fn a_list_of_any_length_leaves_room_for_the_usual_directories() {
        let linker = Linker::default();
        let mut search = search();
        let long: Vec<u8> = (0..5000).flat_map(|number| format!("/opt/{number}:").into_bytes()).collect();
        search.rpaths = vec![(long.clone().into(), Vec::new()), (long.into(), Vec::new())];
        let path = linker.directories(&search);
        assert_eq!(path.before_cache.len(), MOST_DIRECTORIES);
        assert!(path.after_cache.contains(&b"/usr/lib".to_vec()));
    }
}
