//! Real images made elsewhere: every one opens, with the layers, digests and figures that others find.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::peers::{have, inspect, inspect_input, json, nixdive, of_layers, output, run, sha256, skopeo};

/// Image and its number of layers.
const IMAGES: [(&str, usize); 12] = [
    ("dive/test-docker-image.tar", 14),
    ("dive/test-kaniko-image.tar", 14),
    ("dive/test-oci-gzip-image.tar", 1),
    ("dive/test-oci-zstd-image.tar", 1),
    ("dive/test-oci-estargz-image.tar", 1),
    ("dive/test-oci-uncompressed-image.tar", 1),
    ("alpine/alpine-310.tar.gz", 1),
    ("alpine/alpine-311.tar.gz", 1),
    ("busybox/latest-amd64", 1),
    ("busybox/previous-amd64", 1),
    ("nix/hello-nix.tar.gz", 3),
    ("nix/web-nix.tar.gz", 10),
];

/// The one that is too long to be compared with tar in every test.
const LARGE: (&str, usize) = ("dockerfile/web-docker.tar.zst", 5);

/// The directory of the corpus: the one that `NIXDIVE_CORPUS` names, else `../shared/corpus`. One that was named, or is
/// there, has to be whole.
pub fn corpus() -> Option<PathBuf> {
    let named = std::env::var_os("NIXDIVE_CORPUS").map(PathBuf::from);
    let root = named.clone().unwrap_or_else(|| PathBuf::from("../shared/corpus"));
    if root.is_dir() {
        return Some(root);
    }
    assert!(named.is_none(), "{} is missing", root.display());
    println!("skipped: there is no corpus (set NIXDIVE_CORPUS)");
    None
}

/// A layout whose blobs are symbolic links, as it was before Git wrote the links out as small files: other programs do
/// not read those.
fn with_links(layout: &Path, copy: &Path) {
    for name in ["oci-layout", "index.json", "image-config.json", "image-manifest.json", "rootfs.tar.gz"] {
        fs::copy(layout.join(name), copy.join(name)).unwrap();
    }
    fs::create_dir_all(copy.join("blobs/sha256")).unwrap();
    for entry in fs::read_dir(layout.join("blobs/sha256")).unwrap() {
        let entry = entry.unwrap();
        let target = fs::read_link(entry.path()).unwrap_or_else(|_| fs::read_to_string(entry.path()).unwrap().into());
        std::os::unix::fs::symlink(target, copy.join("blobs/sha256").join(entry.file_name())).unwrap();
    }
}

fn sum(values: &[Value]) -> u64 {
    values.iter().map(|value| value.as_u64().unwrap()).sum()
}

#[test]
fn every_image_opens_with_its_layers_and_no_warning() {
    let Some(corpus) = corpus() else { return };
    for (name, layers) in IMAGES.iter().chain([&LARGE]) {
        let report =
            json(&output(nixdive().arg("inspect").arg(corpus.join(name)).args(["--format", "json", "--verify"])));
        assert_eq!(report["layers"].as_array().unwrap().len(), *layers, "{name}");
        assert_eq!(report["warnings"], Value::Array(Vec::new()), "{name}");
        for check in of_layers(&report, "diffIdCheck") {
            assert_eq!(check, "matches", "{name}");
        }
        assert_eq!(report["figures"]["unpackedBytes"], sum(&of_layers(&report, "unpackedBytes")), "{name}");
        assert_eq!(report["figures"]["entries"], sum(&of_layers(&report, "entries")), "{name}");
    }
}

#[test]
fn every_archive_is_the_same_image_through_a_pipe() {
    let Some(corpus) = corpus() else { return };
    if !have(&["cat"]) {
        return;
    }
    for (name, _) in IMAGES.iter().filter(|(name, _)| !name.starts_with("busybox")) {
        let (file, pipe) = (inspect(corpus.join(name)), inspect_input(&corpus.join(name), true));
        for part in ["config", "platform", "waste", "largestFiles", "warnings"] {
            assert_eq!(file[part], pipe[part], "{name}: {part}");
        }
        for fact in ["diffId", "unpackedBytes", "fileBytes", "entries", "added", "modified", "removedBytes"] {
            assert_eq!(of_layers(&file, fact), of_layers(&pipe, fact), "{name}: {fact}");
        }
    }
}

/// Layer blobs of an archive that tar unpacked, base first, and the configuration's bytes.
fn parts(root: &Path) -> (Vec<PathBuf>, Vec<u8>) {
    let read = |name: &str| fs::read(root.join(name)).unwrap();
    let blob = |digest: &Value| format!("blobs/{}", digest.as_str().unwrap().replace(':', "/"));
    if root.join("manifest.json").exists() {
        let manifest = json(&read("manifest.json"));
        let layers = manifest[0]["Layers"].as_array().unwrap();
        let paths = layers.iter().map(|layer| root.join(layer.as_str().unwrap())).collect();
        return (paths, read(manifest[0]["Config"].as_str().unwrap()));
    }
    let index = json(&read("index.json"));
    let manifest = json(&read(&blob(&index["manifests"][0]["digest"])));
    let paths = manifest["layers"].as_array().unwrap().iter().map(|layer| root.join(blob(&layer["digest"]))).collect();
    (paths, read(&blob(&manifest["config"]["digest"])))
}

/// Entries of a layer, and the sum of their sizes, as tar lists them.
fn listed(layer: &Path) -> (u64, u64) {
    let listing = output(Command::new("tar").args(["--numeric-owner", "-tvf"]).arg(layer));
    let text = String::from_utf8(listing).unwrap();
    // A device has its numbers in the place of a size.
    let size = |line: &str| line.split_whitespace().nth(2).and_then(|size| size.parse::<u64>().ok()).unwrap_or(0);
    (text.lines().count() as u64, text.lines().map(size).sum())
}

#[test]
fn entries_bytes_and_digests_are_those_that_tar_and_the_configuration_give() {
    let Some(corpus) = corpus() else { return };
    if !have(&["tar", "gzip", "zstd"]) {
        return;
    }
    for (name, _) in IMAGES.iter().chain([&LARGE]) {
        let path = corpus.join(name);
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        if path.is_dir() {
            with_links(&path, root);
        } else {
            // A large window is zstd's --long.
            let zstd = ["-I", "zstd -d --long=31"];
            let options = if name.ends_with(".zst") { &zstd[..] } else { &[] };
            output(Command::new("tar").args(options).arg("-C").arg(root).arg("-xf").arg(&path));
        }
        let (layers, config) = parts(root);
        let report = inspect(&path);
        let listed: Vec<(u64, u64)> = layers.iter().map(|layer| listed(layer)).collect();
        let counts: Vec<(u64, u64)> = of_layers(&report, "entries")
            .iter()
            .zip(of_layers(&report, "fileBytes"))
            .map(|(entries, bytes)| (entries.as_u64().unwrap(), bytes.as_u64().unwrap()))
            .collect();
        assert_eq!(counts, listed, "{name}");
        assert_eq!(report["identity"]["configDigest"], sha256(&config), "{name}");
        let config = json(&config);
        assert_eq!(of_layers(&report, "diffId"), *config["rootfs"]["diff_ids"].as_array().unwrap(), "{name}");
    }
}

#[test]
fn oci_layouts_agree_with_skopeo() {
    let Some(corpus) = corpus() else { return };
    if !have(&["skopeo"]) {
        return;
    }
    let archives = ["gzip", "zstd", "estargz", "uncompressed"]
        .map(|kind| format!("oci-archive:{}/dive/test-oci-{kind}-image.tar", corpus.display()));
    let place = tempfile::tempdir().unwrap();
    let layouts = ["latest", "previous"].map(|which| {
        let copy = place.path().join(which);
        fs::create_dir(&copy).unwrap();
        with_links(&corpus.join(format!("busybox/{which}-amd64")), &copy);
        format!("oci:{}", copy.display())
    });
    for reference in archives.iter().chain(&layouts) {
        let (report, said) = (inspect(reference), json(&skopeo(&["inspect", reference])));
        assert_eq!(of_layers(&report, "digest"), *said["Layers"].as_array().unwrap(), "{reference}");
        assert_eq!(report["identity"]["manifestDigest"], said["Digest"], "{reference}");
        assert_eq!(report["platform"]["architecture"], said["Architecture"], "{reference}");
        let manifest = json(&skopeo(&["inspect", "--raw", reference]));
        assert_eq!(report["layers"][0]["compressedBytes"], manifest["layers"][0]["size"], "{reference}");
        assert_eq!(report["layers"][0]["mediaType"], manifest["layers"][0]["mediaType"], "{reference}");
    }
}

#[test]
fn a_tar_archive_that_holds_no_image_is_refused() {
    let Some(corpus) = corpus() else { return };
    let refused = nixdive().arg("inspect").arg(corpus.join("dive/test-gzip-image.tar")).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("holds no image"));
}

#[test]
fn the_figures_are_those_of_dive() {
    let Some(corpus) = corpus() else { return };
    let known = [
        ("test-docker-image.tar", 0.984_421_213_418_430_9, 1_220_598, 32_025, 0.483_491_100_140_404_9),
        ("test-kaniko-image.tar", 0.979_368_849_021_643_1, 1_326_410, 46_245, 0.488_450_204_379_099_5),
        ("test-oci-gzip-image.tar", 1.0, 11_189, 0, 0.0),
        ("test-oci-zstd-image.tar", 1.0, 11_189, 0, 0.0),
    ];
    for (name, efficiency, file_bytes, wasted, percent) in known {
        let figures = &inspect(corpus.join("dive").join(name))["figures"];
        let close = |field: &str, value: f64| (figures[field].as_f64().unwrap() - value).abs() < 1e-12;
        assert!(close("efficiency", efficiency) && close("userWastedPercent", percent), "{name}: {figures}");
        assert_eq!((&figures["fileBytes"], &figures["wastedBytes"]), (&file_bytes.into(), &wasted.into()), "{name}");
    }
}

#[test]
fn the_export_is_that_of_dive() {
    let Some(corpus) = corpus() else { return };
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("export.json");
    output(nixdive().arg(corpus.join("dive/test-docker-image.tar")).arg("--json").arg(&file));
    let (mut ours, mut theirs) =
        (json(&fs::read(file).unwrap()), json(&fs::read(corpus.join("dive/test-docker-image.export.json")).unwrap()));
    // dive lists paths of equal waste in the order of a Go map.
    for export in [&mut ours, &mut theirs] {
        let references = export["image"]["fileReference"].as_array_mut().unwrap();
        references.sort_by_key(|reference| reference["file"].as_str().unwrap().to_owned());
    }
    assert_eq!(ours, theirs);
}

#[test]
fn files_come_out_of_a_compressed_archive_as_they_went_in() {
    let Some(corpus) = corpus() else { return };
    let image = corpus.join(LARGE.0);
    for (path, original) in [("/srv/www/index.html", "index.html"), ("/etc/nginx/nginx.conf", "nginx.conf")] {
        let content = output(nixdive().arg("cat").arg(&image).arg(path));
        assert_eq!(content, fs::read(corpus.join("dockerfile").join(original)).unwrap(), "{path}");
    }
    let place = tempfile::tempdir().unwrap();
    let link = place.path().join("result");
    std::os::unix::fs::symlink(fs::canonicalize(corpus.join("nix/hello-nix.tar.gz")).unwrap(), &link).unwrap();
    assert_eq!(inspect(&link)["layers"].as_array().unwrap().len(), 3);
    let listing = String::from_utf8(output(nixdive().args(["ls"]).arg(&link).arg("/nix/store"))).unwrap();
    assert!(listing.lines().any(|line| line.contains("-hello-")), "{listing}");
}

#[test]
fn a_gzipped_archive_holds_what_gunzip_gives() {
    let Some(corpus) = corpus() else { return };
    if !have(&["gzip"]) {
        return;
    }
    for name in ["nix/hello-nix.tar.gz", "alpine/alpine-311.tar.gz"] {
        let place = tempfile::tempdir().unwrap();
        let plain = place.path().join("plain.tar");
        fs::write(&plain, run("gzip", &["-dc", corpus.join(name).to_str().unwrap()])).unwrap();
        let (packed, unpacked) = (inspect(corpus.join(name)), inspect(&plain));
        for part in ["config", "waste", "largestFiles", "largestDirectories"] {
            assert_eq!(packed[part], unpacked[part], "{name}: {part}");
        }
        // What is told of each layer's share of the archive is about all of the archive.
        let share = sum(&of_layers(&packed, "compressedBytes"));
        let whole = fs::metadata(corpus.join(name)).unwrap().len();
        assert!(share <= whole && share > whole * 8 / 10, "{name}: {share} of {whole}");
    }
}
