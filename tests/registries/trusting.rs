//! Whom a push believes about what is there: nobody who could put other bytes into an image.

use nixdive::cancel::Cancel;
use nixdive::image::Digest;
use nixdive::open::OpenOptions;
use nixdive::reference::{ImageName, Reference};
use nixdive::transfer::{CopyDestination, CopyOptions, KnownBlobs, TransferProgress, copy, gather};
use serde_json::Value;

use super::push::faulty;
use super::server::{Reply, Server};
use super::shop::Customer;
use super::support::compress::gzip;
use super::support::images::{Image, OCI_MANIFEST, docker_archive, sample_layers};
use super::support::program::file;
use super::warehouse::Warehouse;

/// Puts an image under a tag whose layers say that they were made of something: a digest of `a` for the first.
fn put_with_makes(customer: &Customer, warehouse: &Warehouse, host: &str, tag: &str) {
    let layout = customer.layout(Image::stored_of(sample_layers(), gzip));
    customer.push(&layout, host, "team/app:base").unwrap();
    let mut manifest: Value = serde_json::from_slice(&warehouse.manifest("team/app", "base").unwrap()).unwrap();
    let diff_ids = Image::new(sample_layers()).config["rootfs"]["diff_ids"].clone();
    manifest["layers"][0]["annotations"] = serde_json::json!({
        "org.nixdive.made-of": made_of().as_str(),
        "org.nixdive.diff-id": diff_ids[0],
    });
    let registries = customer.remote.registries(&Cancel::new()).unwrap();
    let repository = registries.repository(&name(host, tag)).unwrap();
    repository.put_manifest(tag, OCI_MANIFEST, manifest.to_string().as_bytes()).unwrap();
}

fn made_of() -> Digest {
    Digest::parse(&format!("sha256:{}", "a".repeat(64))).unwrap()
}

fn name(host: &str, tag: &str) -> ImageName {
    ImageName::parse(&format!("{host}/team/app:{tag}")).unwrap()
}

fn known(customer: &Customer, name: &ImageName) -> KnownBlobs {
    let registries = customer.remote.registries(&Cancel::new()).unwrap();
    KnownBlobs::of_registry(&registries, name, &[]).unwrap()
}

#[test]
fn what_layers_were_made_of_is_taken_from_the_tag_itself_or_the_latest_alone() {
    for (there, wanted, believed) in
        [("1.0", "1.0", true), ("latest", "1.0", true), ("1.0", "1.1", false), ("other", "latest", false)]
    {
        let (warehouse, customer) = (Warehouse::default(), Customer::new());
        let server = faulty(&warehouse, |_, _| None);
        put_with_makes(&customer, &warehouse, &server.host, there);
        let known = known(&customer, &name(&server.host, wanted));
        assert_eq!(known.made().contains_key(&made_of()), believed, "{there} for {wanted}");
        let diff_id = Image::new(sample_layers()).config["rootfs"]["diff_ids"][0].as_str().and_then(Digest::parse);
        assert_eq!(known.of_diff_id(&diff_id.unwrap()).len(), 1, "whoever pulls checks that");
    }
}

#[test]
fn mirrors_are_not_asked_for_what_is_there() {
    let (warehouse, customer) = (Warehouse::default(), Customer::new());
    let server = faulty(&warehouse, |_, _| None);
    put_with_makes(&customer, &warehouse, &server.host, "1.0");
    let mirror = Server::start(|_| Reply::new(404, "{}"));
    let conf = format!(
        "[[registry]]\nlocation = \"{}\"\n[[registry.mirror]]\nlocation = \"{}\"\ninsecure = true\n",
        server.host, mirror.host
    );
    customer.write("etc/containers/registries.conf", &conf);
    assert!(!known(&customer, &name(&server.host, "1.0")).made().is_empty());
    assert!(mirror.seen().is_empty());
}

#[test]
fn a_compressed_layer_that_is_another_than_its_configuration_says_gets_no_manifest() {
    let (warehouse, customer) = (Warehouse::default(), Customer::new());
    let server = faulty(&warehouse, |_, _| None);
    let mut image = Image::stored_of(sample_layers(), gzip);
    customer
        .push(&file(customer.place.path(), "good.tar", &docker_archive(&image)), &server.host, "team/app:good")
        .unwrap();
    image.config["rootfs"]["diff_ids"][1] = made_of().as_str().into();
    let bad = file(customer.place.path(), "bad.tar", &docker_archive(&image));
    let error = customer.push_refused(&bad, &server.host);
    assert!(error.contains("the configuration says sha256:aaaa"), "{error}");
    let progress = TransferProgress::default();
    let shipment = gather(&Reference::parse(bad.as_os_str()).unwrap(), &OpenOptions::default(), false, &Cancel::new());
    let destination = format!("oci:{}", customer.place.path().join("bad").display());
    let destination = CopyDestination::parse(destination.as_ref()).unwrap();
    let error = copy(&shipment.unwrap(), &destination, &CopyOptions::default(), &progress).unwrap_err();
    assert!(error.to_string().contains("the configuration says sha256:aaaa"), "{error}");
}

#[test]
fn what_was_damaged_where_it_lies_does_not_arrive_whole() {
    let (warehouse, customer) = (Warehouse::default(), Customer::new());
    let layout = customer.layout(Image::stored_of(sample_layers(), gzip));
    let (name, mut bytes) =
        super::support::images::blob(Image::stored_of(sample_layers(), gzip).layers[1].blob.clone());
    bytes[30] ^= 1;
    file(&layout, &name, &bytes);
    // A registry that holds nothing against its digest.
    let server = faulty(&warehouse, |_, seen| {
        let is_end = seen.method == "PUT" && seen.target.contains("uploads");
        is_end.then(|| Reply::new(201, ""))
    });
    let error = customer.push_refused(&layout, &server.host);
    assert!(error.contains("digest mismatch"), "{error}");
    let length = bytes.len();
    assert!(server.seen().iter().all(|seen| seen.body.len() != length), "its last bytes are kept back");
}
