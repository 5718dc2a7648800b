//! Images from registries and engines: what real ones give, and what registries do on bad days.
//!
//! Tests that need `docker-registry`, skopeo or podman say so and pass where those are missing; where NIXDIVE_LIVE=1 they
//! fail instead.
#![allow(clippy::disallowed_methods)]
// clippy.toml allows them in test functions; here all functions serve tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
#[allow(dead_code)]
mod support;

mod access;
mod containerd;
mod faults;
mod foreign;
mod index;
mod interrupted;
mod keeping;
mod killed;
mod live;
mod loading;
mod logging;
mod push;
mod push_live;
mod server;
mod shop;
mod tables;
mod tokens_live;
mod trusting;
mod warehouse;
