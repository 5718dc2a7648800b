//! The whole program, from what is typed to what is shown.
#![allow(clippy::disallowed_methods)]
// clippy.toml allows them in test functions; here all functions serve tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
#[allow(dead_code)]
mod support;

mod commands;
mod hostile;
mod kinds;
mod rebuild;
mod tar_features;
