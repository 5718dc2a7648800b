//! Helpers for the tests of every crate.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

/// Prints why a test is skipped. Panics instead where `NIXDIVE_LIVE` is `1`.
pub fn skip(test: &str, reason: &str) {
    assert_ne!(std::env::var("NIXDIVE_LIVE").as_deref(), Ok("1"), "{test}: {reason}");
    eprintln!("{test} skipped: {reason}");
}
