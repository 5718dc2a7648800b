//! nixdive inspects, compares and rebuilds container images, and knows Nix.
//!
//! Data flows one way: `reference → source → scan → image → analysis → tui | report | cli`; [`open`] puts the first four
//! together, [`study`] reads through it what [`nix`] asks of contents.

pub mod analysis;
pub mod beneath;
pub mod build;
pub mod cache;
pub mod ci;
pub mod cli;
pub mod compare;
pub mod engines;
pub mod examine;
pub mod execution;
pub mod extract;
pub mod findings;
pub mod glob;
pub mod go_json;
pub mod http;
pub mod identify;
pub mod image;
pub mod index;
pub mod manifest;
pub mod nix;
pub mod open;
pub mod packages;
pub mod preview;
pub mod rebuild;
pub mod reference;
pub mod registry;
pub mod report;
pub mod scan;
pub mod search;
pub mod source;
pub mod sqlite;
pub mod store;
pub mod study;
pub mod transfer;
pub mod tui;
pub mod yaml;

#[cfg(test)]
mod testing;
