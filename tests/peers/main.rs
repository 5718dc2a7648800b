//! nixdive held against the programs that people already trust with images: skopeo, umoci, podman, buildah, GNU tar and
//! dive; and the real images of the corpus and of `sample-images/`.
//!
//! A test whose peer is missing says so and passes; where NIXDIVE_LIVE=1 it fails instead. Whoever has no corpus cannot
//! fetch one: without it, its tests are skipped in any case.
#![allow(clippy::disallowed_methods)]
// clippy.toml allows them in test functions; here all functions serve tests.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../support/tar_bytes.rs"]
#[allow(dead_code)]
mod tar_bytes;

mod corpus;
mod engines;
mod headers;
mod images;
mod layout;
mod overlay;
mod peers;
mod rootfs;
mod rules;
mod samples;
mod skopeo;
mod snapshot;
mod sparse;
