use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::*;

fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("root");
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::write(root.join("file"), "inside").unwrap();
    fs::write(place.path().join("outside"), "outside").unwrap();
    for (name, target) in [
        ("a/b/up", "../../file"),
        ("chain", "a/b/up"),
        ("directory", "a/b"),
        ("a/out", "../../outside"),
        ("absolute", "/etc/passwd"),
        ("ring", "ring"),
        ("nowhere", "missing"),
        ("to-root", "."),
    ] {
        symlink(target, root.join(name)).unwrap();
    }
    place
}

/// The content of a file by the kernel's resolution, where there is one, and by that of this program: the same.
fn content(root: &Path, path: &str, links: Links) -> Result<String, Errno> {
    let directory = Directory::open(root).unwrap();
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let text = |file: OwnedFd| {
        let mut text = String::new();
        File::from(file).read_to_string(&mut text).map_err(|_| Errno::ISDIR).map(|_| text)
    };
    let path = Path::new(path);
    let by_steps = resolve::by_steps(&directory.handle, path, flags, Mode::empty(), links).and_then(text);
    let by_either = resolve::open(&directory.handle, path, flags, Mode::empty(), links).and_then(text);
    assert_eq!(by_steps, by_either, "{}", path.display());
    by_steps
}

#[test]
fn links_are_followed_inside_and_never_out() {
    let place = place();
    let root = place.path().join("root");
    for path in
        ["file", "./file", "a/../file", "chain", "a/b/up", "directory/up", "to-root/file", "directory/../../file"]
    {
        assert_eq!(content(&root, path, Links::Inside).as_deref(), Ok("inside"), "{path}");
    }
    for path in ["a/out", "absolute", "../outside", "/etc/passwd", "a/../../outside", "to-root/../outside"] {
        assert_eq!(content(&root, path, Links::Inside), Err(Errno::XDEV), "{path}");
    }
    assert_eq!(content(&root, "ring", Links::Inside), Err(Errno::LOOP));
    for path in ["nowhere", "missing", "a/missing"] {
        assert_eq!(content(&root, path, Links::Inside), Err(Errno::NOENT), "{path}");
    }
    for path in ["chain", "directory/up", "a/out", "nowhere", "to-root/file"] {
        assert_eq!(content(&root, path, Links::Refused), Err(Errno::LOOP), "{path}");
    }
    assert_eq!(content(&root, "a/../file", Links::Refused).as_deref(), Ok("inside"));
}

#[test]
fn directories_are_made_through_no_link() {
    let place = place();
    let root = Directory::open(&place.path().join("root")).unwrap();
    root.make_path(Path::new("a/new/deep")).unwrap();
    assert!(place.path().join("root/a/new/deep").is_dir());
    for path in ["directory/x", "a/out/x", "file/x"] {
        let error = root.make_path(Path::new(path)).unwrap_err();
        assert!(is_led_out(&error), "{path}: {error}");
    }
}

#[test]
fn a_published_file_replaces_a_link_and_an_abandoned_one_goes() {
    let place = place();
    let root = Directory::open(&place.path().join("root")).unwrap();
    let before = root.names(usize::MAX).unwrap().len();
    Temporary::new(&root, 0o600).unwrap().publish(&root, "absolute".as_ref()).unwrap();
    assert!(place.path().join("root/absolute").symlink_metadata().unwrap().is_file());
    let directory = TemporaryDirectory::new(&root, 0o700).unwrap();
    fs::create_dir(directory.path().join("below")).unwrap();
    symlink("/etc", directory.path().join("below/link")).unwrap();
    drop((Temporary::new(&root, 0o600).unwrap(), directory));
    assert_eq!(root.names(usize::MAX).unwrap().len(), before);
    // Without its lock, one that is kept is as one of a killed process.
    let kept = TemporaryDirectory::new(&root, 0o700).unwrap().keep();
    let held = TemporaryDirectory::new(&root, 0o700).unwrap();
    remove_abandoned(&root);
    assert!(!kept.exists() && held.path().exists());
}

#[test]
fn a_directory_that_is_swapped_for_a_link_leads_nowhere() {
    let place = place();
    let root = place.path().join("root");
    let directory = Directory::open(&root).unwrap();
    let outside = place.path().join("victim");
    fs::create_dir(&outside).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                fs::rename(root.join("a"), root.join("aside")).unwrap();
                symlink(&outside, root.join("a")).unwrap();
                fs::remove_file(root.join("a")).unwrap();
                fs::rename(root.join("aside"), root.join("a")).unwrap();
            }
        });
        for number in 0..2000 {
            let name = format!("file-{number}");
            if let Ok(inner) = directory.subdirectory(Path::new("a")) {
                Temporary::new(&inner, 0o600).unwrap().publish(&inner, name.as_ref()).unwrap();
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}
