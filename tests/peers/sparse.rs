//! Every dialect in which GNU tar writes names and sparse files reads back as GNU tar reads it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::images::{docker_archive, gnu_tar};
use crate::peers::{have, nixdive, output, run};
use crate::snapshot::{as_extracted, assert_same, of_directory};

/// Files with gaps in all places, with short, long and non-ASCII names.
fn write_sparse(root: &Path) {
    let runs: [&[(u64, usize)]; 5] =
        [&[], &[(0, 10)], &[(700_000, 5000)], &[(0, 5000), (100_000, 5000), (300_001, 7)], &[]];
    for (number, runs) in runs.iter().enumerate() {
        let long = format!("{}/{}", "d".repeat(90), "n".repeat(120));
        for name in [format!("{number}"), format!("na\u{ef}ve-{number}"), format!("{long}-{number}")] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let file = File::create(path).unwrap();
            file.set_len(1_000_003 + number as u64).unwrap();
            for &(at, length) in *runs {
                file.write_all_at(&vec![b'x'; length], at).unwrap();
            }
        }
    }
    // More runs than one header holds, and than one block of the map holds.
    let many = File::create(root.join("many-runs")).unwrap();
    many.set_len(40 << 20).unwrap();
    for run in 0..300 {
        many.write_all_at(&[b'0' + (run % 10) as u8; 512], run * 131_072).unwrap();
    }
}

fn assert_reads_as_tar(root: &Path, options: &[&str]) {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    let layer = path("layer.tar");
    gnu_tar(root, &layer, options);
    let unpacked = path("unpacked");
    fs::create_dir(&unpacked).unwrap();
    run("tar", &[Path::new("-C"), &unpacked, Path::new("-xpf"), &layer]);
    fs::write(path("image.tar"), docker_archive(&[fs::read(&layer).unwrap()])).unwrap();
    output(nixdive().arg("extract").arg(path("image.tar")).args(["/", "-o"]).arg(path("out")));
    assert_same(&as_extracted(&of_directory(&unpacked)), &of_directory(&path("out")), &options.join(" "));

    // Entries and bytes are those that tar lists.
    let listing = String::from_utf8(run("tar", &["--numeric-owner", "-tvf", layer.to_str().unwrap()])).unwrap();
    let bytes: u64 = listing.lines().map(|line| line.split_whitespace().nth(2).unwrap().parse::<u64>().unwrap()).sum();
    let report = crate::peers::inspect(path("image.tar"));
    assert_eq!(report["layers"][0]["entries"], listing.lines().count(), "{options:?}");
    assert_eq!(report["layers"][0]["fileBytes"], bytes, "{options:?}");
    assert_eq!(report["warnings"], serde_json::Value::Array(Vec::new()), "{options:?}");
}

#[test]
fn sparse_files_are_read_as_gnu_tar_reads_them() {
    if !have(&["tar"]) {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    write_sparse(root.path());
    for format in ["--format=gnu", "--format=oldgnu", "--format=posix"] {
        for version in ["0.0", "0.1", "1.0"] {
            let version = format!("--sparse-version={version}");
            let options = [format, "--sparse", "--hole-detection=raw", &version];
            assert_reads_as_tar(root.path(), if format == "--format=posix" { &options } else { &options[..3] });
        }
    }
}

#[test]
fn plain_files_of_every_dialect_are_read_as_gnu_tar_reads_them() {
    if !have(&["tar"]) {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    for (name, content) in [("a", "1"), ("b/c", "22"), ("b/d/e", ""), ("b/na\u{ef}ve", "x")] {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    fs::hard_link(root.path().join("a"), root.path().join("z")).unwrap();
    std::os::unix::fs::symlink("../a", root.path().join("b/link")).unwrap();
    for format in ["v7", "oldgnu", "gnu", "ustar", "posix"] {
        assert_reads_as_tar(root.path(), &[&format!("--format={format}")]);
    }
    // Names that ustar has to split, and that the others have to put elsewhere.
    let deep = root.path().join("p".repeat(90)).join("q".repeat(60));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("r".repeat(90)), "deep").unwrap();
    for format in ["oldgnu", "gnu", "ustar", "posix"] {
        assert_reads_as_tar(root.path(), &[&format!("--format={format}")]);
    }
    assert_reads_as_tar(root.path(), &["--format=posix", "--mtime=@-1000000000.5"]);
    assert_reads_as_tar(root.path(), &["--format=gnu", "--mtime=@-1000000000"]);
    assert_reads_as_tar(root.path(), &["--format=gnu", "--blocking-factor=1"]);
}
