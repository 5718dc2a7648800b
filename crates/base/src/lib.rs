//! Foundations of every other crate: cancellation, text made safe for terminals, globs, YAML with
//! lines, SQLite tables.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod beneath;
pub mod cancel;
pub mod glob;
pub mod go_json;
mod invisible;
pub mod sqlite;
#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod testing;
pub mod text;
pub mod yaml;
