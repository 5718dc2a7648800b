//! Images that are built here run as before once they are rebuilt, and with nothing but the files that are found to be
//! needed.
//!
//! Needs root, and a network the first time: a Debian root is made by debootstrap and kept below `target/tmp`. Where
//! something is missing the tests say so and pass; with NIXDIVE_LIVE=1 they fail instead.
#![allow(clippy::disallowed_methods)]
// clippy.toml allows them in test functions; here all functions serve tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
#[allow(dead_code)]
mod support;

mod closures;
mod debian;
mod needed;
mod nix;
mod permissions;
mod roots;
