//! Layers that are known by a table of contents within them, without being fetched.

use nixdive::image::{DigestCheck, Kind};
use nixdive::open::{OpenOptions, Opened, Verify};

use super::server::{Reply, Seen, Server};
use super::shop::{Customer, REPOSITORY, Shop};
use super::support::images::{Image, Layer, MOTD, OCI_GZIP, OCI_MANIFEST, digest, manifest_blobs};
use super::support::program::{OpenResult, content, open_with};
use super::support::tables::{TabledLayer, estargz, zstd_chunked};
use super::support::tar_bytes::{Entry, Tar};

const IMAGE: &str = "team/app:1";
const OCI_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
const EACH: usize = 400_000;

/// What does not compress.
pub fn noise(bytes: usize) -> Vec<u8> {
    let mut seed = 1u32;
    let next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

/// A layer with all that a table can tell, too long to be fetched for its table.
fn base() -> Vec<u8> {
    Tar::new()
        .add(Entry::directory("./etc/").mode(0o750).owner(7, 8))
        .file("./etc/motd", "from the base layer\n")
        .file("etc/empty", "")
        .add(Entry::file("bin/tool", noise(1_500_000)).mode(0o4755))
        .file("bin/other", noise(900_000))
        .hard_link("bin/again", "bin/tool")
        .symlink("bin/link", "../etc/motd")
        .add(Entry::device(b'3', "null", 1, 3))
        .add(Entry::of(b'6', "pipe"))
        .pax(&[("SCHILY.xattr.user.note", b"text")])
        .file("noted", "with an attribute")
        .file("gone", "soon")
        .finish()
}

fn upper() -> Vec<u8> {
    Tar::new().file("etc/motd", MOTD).file(".wh.gone", "").file("bin/other", noise(900_000)).finish()
}

struct Format {
    media_type: &'static str,
    make: fn(&[u8], usize) -> TabledLayer,
}

const FORMATS: [Format; 2] =
    [Format { media_type: OCI_GZIP, make: estargz }, Format { media_type: OCI_ZSTD, make: zstd_chunked }];

/// A registry with an image of two such layers. `change` alters what the manifest says and what lies there.
fn shop_of(format: &Format, change: impl Fn(&mut TabledLayer)) -> (Shop, Vec<String>) {
    let mut layers = [base(), upper()].map(|tar| (format.make)(&tar, EACH));
    change(&mut layers[0]);
    let blobs = layers.iter().map(|layer| digest(&layer.blob)).collect();
    (shop_with(format.media_type, &layers), blobs)
}

/// A registry with an image of some such layers.
fn shop_with(media_type: &'static str, layers: &[TabledLayer]) -> Shop {
    let stored = |layer: &TabledLayer| Layer { media_type, tar: layer.tar.clone(), blob: layer.blob.clone() };
    let image = Image::of(layers.iter().map(stored).collect());
    let mut shop = Shop::default();
    shop.add(&image, "");
    let mut manifest: serde_json::Value = serde_json::from_slice(&manifest_blobs(&image).0).unwrap();
    for (number, layer) in layers.iter().enumerate() {
        manifest["layers"][number]["annotations"] = layer.annotations.clone();
    }
    shop.put_manifest("1", OCI_MANIFEST, manifest.to_string().into_bytes());
    shop
}

fn shop(format: &Format) -> (Shop, Vec<String>) {
    shop_of(format, |_| {})
}

fn open(customer: &Customer, host: &str, change: impl Fn(&mut OpenOptions)) -> OpenResult {
    let mut options = OpenOptions { tables: true, ..customer.options() };
    change(&mut options);
    open_with(format!("docker://{host}/{IMAGE}"), options)
}

/// How often all of a blob was asked for.
fn whole_fetches(server: &Server, blob: &str) -> usize {
    let target = format!("{REPOSITORY}blobs/{blob}");
    server.seen().iter().filter(|seen| seen.target == target && seen.header("range").is_none()).count()
}

/// All that is told of every entry of every layer.
pub fn told(opened: &Opened) -> Vec<String> {
    let tree = &opened.image.tree;
    let mut lines = Vec::new();
    for node in tree.node_ids() {
        let path = String::from_utf8_lossy(&tree.path(node)).into_owned();
        for id in tree.occurrences_of(node) {
            let one = tree.occurrence(id);
            let link = tree.link_target(id).map(String::from_utf8_lossy);
            lines.push(format!(
                "{} {path} {:?} {:o} {:?} {} {} {link:?} {:?} {:?} {:?}",
                one.layer.0,
                one.kind,
                one.mode(),
                tree.owner(id),
                one.bytes,
                one.mtime,
                tree.xattrs(id),
                tree.device(id),
                one.difference(),
            ));
        }
    }
    lines.sort();
    lines
}

#[test]
fn a_layer_is_shown_by_its_table_and_not_fetched() {
    for format in &FORMATS {
        let (shop, blobs) = shop(format);
        let server = Server::start(move |seen| shop.answer(seen));
        let customer = Customer::new().with_cache();
        let whole = open(&Customer::new(), &server.host, |options| options.tables = false).unwrap();
        assert!(whole.image.layers.iter().all(|layer| !layer.listed));
        server.take_requests();
        let listed = open(&customer, &server.host, |_| {}).unwrap();
        assert_eq!(told(&listed), told(&whole));
        for layer in &listed.image.layers {
            assert!(layer.listed && layer.diff_id_check == DigestCheck::NotChecked);
            assert_eq!(layer.known_unpacked_bytes(), None);
        }
        assert!(listed.image.warnings.is_empty(), "{:?}", listed.image.warnings);
        for path in ["/etc/motd", "/etc/empty", "/noted"] {
            assert!(content(&listed, path) == content(&whole, path), "{path}");
        }
        let fetches = |server: &Server| blobs.iter().map(|blob| whole_fetches(server, blob)).sum::<usize>();
        assert_eq!(fetches(&server), 0, "{:?}", server.take_requests());
        server.take_requests();
        let again = open(&customer, &server.host, |_| {}).unwrap();
        assert_eq!(server.take_requests(), ["HEAD /v2/team/app/manifests/1"]);
        assert_eq!(told(&again), told(&whole));
        // More than half of a layer is all of it.
        for path in ["/bin/tool", "/bin/again", "/bin/other"] {
            assert!(content(&listed, path) == content(&whole, path), "{path}");
        }
        assert_eq!(fetches(&server), 2);
    }
}

#[test]
fn the_table_itself_is_a_file_of_an_estargz_layer() {
    let (shop, _) = shop(&FORMATS[0]);
    let server = Server::start(move |seen| shop.answer(seen));
    let opened = open(&Customer::new(), &server.host, |_| {}).unwrap();
    assert!(content(&opened, "/stargz.index.json").starts_with(br#"{"version":1,"entries":["#));
}

#[test]
fn who_checks_reads_the_layer() {
    let (shop, blobs) = shop(&FORMATS[0]);
    let server = Server::start(move |seen| shop.answer(seen));
    let opened = open(&Customer::new(), &server.host, |options| options.verify = Verify::All).unwrap();
    assert!(opened.image.layers.iter().all(|layer| !layer.listed && layer.diff_id_check == DigestCheck::Matches));
    assert!(blobs.iter().all(|blob| whole_fetches(&server, blob) == 1));
}

#[test]
fn a_layer_that_is_kept_is_not_known_by_its_table() {
    let (shop, _) = shop(&FORMATS[1]);
    let server = Server::start(move |seen| shop.answer(seen));
    let customer = Customer::new().with_cache();
    open(&customer, &server.host, |options| options.tables = false).unwrap();
    server.take_requests();
    let opened = open(&customer, &server.host, |_| {}).unwrap();
    assert!(opened.image.layers.iter().all(|layer| !layer.listed && layer.diff_id_check == DigestCheck::Matches));
    assert_eq!(server.take_requests(), ["HEAD /v2/team/app/manifests/1"]);
}

#[test]
fn a_registry_that_gives_no_ranges_gives_the_layer() {
    for status in [200, 416] {
        for format in &FORMATS {
            let (shop, _) = shop(format);
            let server = Server::start(move |seen| match seen.header("range") {
                Some(_) if status == 416 => Reply::new(416, ""),
                _ => shop.answer(&Seen { headers: Vec::new(), ..seen.clone() }),
            });
            let opened = open(&Customer::new(), &server.host, |_| {}).unwrap();
            assert!(opened.image.layers.iter().all(|layer| !layer.listed));
            assert!(opened.image.warnings.is_empty(), "{:?}", opened.image.warnings);
            assert_eq!(content(&opened, "/bin/tool"), noise(1_500_000));
        }
    }
}

#[test]
fn a_table_with_another_digest_is_not_believed() {
    for format in &FORMATS {
        let (shop, _) = shop_of(format, |layer| {
            for (name, value) in layer.annotations.as_object_mut().unwrap() {
                if name.contains("digest") || name.contains("checksum") {
                    *value = digest(b"another table").into();
                }
            }
        });
        let server = Server::start(move |seen| shop.answer(seen));
        let opened = open(&Customer::new(), &server.host, |_| {}).unwrap();
        assert!(!opened.image.layers[0].listed && opened.image.layers[1].listed);
        let warning = &opened.image.warnings[0].message;
        assert!(warning.contains("does not match the digest in the manifest; the whole layer was read"), "{warning}");
        assert_eq!(content(&opened, "/bin/tool"), noise(1_500_000));
    }
}

#[test]
fn content_that_is_not_what_the_table_says_is_refused() {
    let (shop, blobs) = shop(&FORMATS[1]);
    let mut bad = shop.clone();
    let path = format!("blobs/{}", blobs[0]);
    let mut bytes = shop.bytes(&path);
    // Within the noise of the first long file, which zstd stores as it is.
    bytes[500_000] ^= 1;
    bad.put(&path, "application/octet-stream", bytes);
    let server = Server::start(move |seen| bad.answer(seen));
    let opened = open(&Customer::new(), &server.host, |_| {}).unwrap();
    let tree = &opened.image.tree;
    let tool = tree.node_ids().find(|&node| tree.path(node) == b"/bin/tool").unwrap();
    let id = tree.occurrences_of(tool).next().unwrap();
    let mut reader = opened.contents.reader(tree, id).unwrap();
    let error = std::io::copy(&mut reader, &mut std::io::sink()).unwrap_err().to_string();
    assert!(error.contains("does not match the digest"), "{error}");
}

#[test]
fn much_content_costs_one_fetch() {
    let files = (0..200).fold(Tar::new(), |tar, number| tar.file(format!("file-{number}"), noise(10_000 + number)));
    let layer = zstd_chunked(&files.finish(), EACH);
    let shop = shop_with(OCI_ZSTD, std::slice::from_ref(&layer));
    let server = Server::start(move |seen| shop.answer(seen));
    let opened = open(&Customer::new(), &server.host, |_| {}).unwrap();
    for number in 0..200 {
        assert_eq!(content(&opened, &format!("/file-{number}")).len(), 10_000 + number);
    }
    assert_eq!(whole_fetches(&server, &digest(&layer.blob)), 1);
    assert!(server.seen().len() < 20, "{}", server.seen().len());
}

#[test]
fn links_of_a_table_that_go_round_lead_nowhere() {
    let tar = Tar::new().hard_link("a", "b").hard_link("b", "a").file("noise", noise(100_000)).finish();
    let layer = estargz(&tar, EACH);
    let shop = shop_with(OCI_GZIP, std::slice::from_ref(&layer));
    let server = Server::start(move |seen| shop.answer(seen));
    let opened = open(&Customer::new(), &server.host, |_| {}).unwrap();
    let tree = &opened.image.tree;
    assert!(opened.image.layers[0].listed);
    let links = tree.node_ids().flat_map(|node| tree.occurrences_of(node));
    for id in links.filter(|&id| tree.occurrence(id).kind == Kind::HardLink) {
        assert!(opened.contents.reader(tree, id).is_err());
    }
}
