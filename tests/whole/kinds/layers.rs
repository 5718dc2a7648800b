//! The forms of layers, found by content.

use super::{assert_opens, assert_sample};
use crate::support::compress::{FORMS, gzip, gzip_members, skippable_frame, xz, zstd, zstd_chunked};
use crate::support::images::{Image, OCI_GZIP, docker_archive, oci_members, write_directory};
use crate::support::program::{file, open_typed, scratch};
use crate::support::tar_bytes::archive;

#[test]
fn every_compression_is_found_by_content() {
    let directory = scratch();
    for (name, compress) in FORMS {
        let image = Image::stored(OCI_GZIP, compress);
        let layout = write_directory(&directory.path().join(name), &oci_members(&[image]));
        let opened = open_typed(layout).unwrap();
        assert_sample(&opened, name);
        assert_eq!(opened.image.layers[0].compression.name(), name);
    }
}

#[test]
fn streams_of_several_parts_are_read_to_their_end() {
    let directory = scratch();
    let forms: [(&str, crate::support::compress::Packer); 5] = [
        ("estargz", |tar| gzip_members(tar, 700)),
        ("zstd:chunked", |tar| zstd_chunked(tar, 700)),
        ("zstd that begins with a skippable frame", |tar| [skippable_frame(b"first"), zstd(tar)].concat()),
        ("xz streams with padding", |tar| [xz(&tar[..1000]), vec![0; 8], xz(&tar[1000..])].concat()),
        ("gzip with a name in its header", |tar| {
            let mut encoder = flate2::GzBuilder::new().filename("layer.tar").comment("c").read(tar, Default::default());
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut encoder, &mut bytes).unwrap();
            bytes
        }),
    ];
    for (number, (name, store)) in forms.into_iter().enumerate() {
        let image = Image::stored(OCI_GZIP, store);
        let members = oci_members(std::slice::from_ref(&image));
        assert_opens(write_directory(&directory.path().join(number.to_string()), &members), name);
        assert_opens(file(directory.path(), "archive", &archive(&members)), name);
        assert_opens(file(directory.path(), "archive", &gzip(&archive(&members))), name);
        // The whole archive in the same form.
        assert_opens(file(directory.path(), "archive", &store(&docker_archive(&Image::sample()))), name);
    }
}

#[test]
fn digests_and_byte_counts_of_a_compressed_layer_are_those_of_its_blob() {
    let directory = scratch();
    for (name, compress) in FORMS {
        let image = Image::stored(OCI_GZIP, compress);
        let opened =
            open_typed(file(directory.path(), name, &archive(&oci_members(std::slice::from_ref(&image))))).unwrap();
        for (layer, stored) in opened.image.layers.iter().zip(&image.layers) {
            assert_eq!(layer.digest.as_ref().unwrap().hex(), crate::support::images::hex(&stored.blob), "{name}");
            assert_eq!(layer.diff_id.as_ref().unwrap().hex(), crate::support::images::hex(&stored.tar), "{name}");
            assert_eq!(layer.unpacked_bytes, stored.tar.len() as u64, "{name}");
            assert_eq!(layer.compressed_bytes.unwrap().bytes(), stored.blob.len() as u64, "{name}");
            assert_eq!(layer.media_type, OCI_GZIP, "{name}");
        }
    }
}
