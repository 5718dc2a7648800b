//! nixdive inspects, compares and rebuilds container images, and knows Nix.
//!
//! Data flows one way: `reference → source → scan → image → analysis → tui | report | cli`.

pub mod image;
pub mod packages;
