//! Reports for a browser, in a browser: each is opened in headless Chromium, clicked through and listened to.
//!
//! Without Chromium a test says so and passes; where NIXDIVE_LIVE=1 it fails instead.
#![allow(clippy::disallowed_methods)]
// clippy.toml allows them in test functions; here all functions serve tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
#[allow(dead_code)]
mod support;

mod chromium;
mod hostile;
mod reports;
mod screenshot;
