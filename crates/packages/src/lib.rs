//! Package databases found inside an image, and the paths that each package owns.
//!
//! Everything here is a pure function of bytes and of the file tree. A scanner asks [`wanted`] of every path, keeps
//! the content of those that are databases, and hands them to [`find`].
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod apk;
mod chisel;
mod database;
mod deb;
mod inventory;
mod names;
mod ownership;
mod parse;
mod python;
mod resolve;
mod rpm;
mod set;

#[cfg(test)]
mod live_tests;

pub use database::{Database, DatabaseFile, MAX_DATABASE_BYTES, wanted};
pub use inventory::{CapturedFile, Inventory, find};
pub use names::{normal_names, soname};
pub use ownership::{Owned, Ownership};
pub use parse::{Parsed, Problem, parse};
pub use set::{ListedFile, Package, PackageIndex, PackageKind, PackageSet, SourcePackage};
