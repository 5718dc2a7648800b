//! Package databases found inside an image, and the paths that each package owns.
//!
//! Everything here is a pure function of bytes and of the file tree. A scanner asks [`is_wanted`] about every path, keeps
//! the content of those that are databases, and hands them to [`find`].
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod apk;
mod chisel;
mod database;
mod deb;
mod distribution;
mod ecosystem;
mod inventory;
mod names;
mod ownership;
mod package_url;
mod parse;
mod python;
mod resolve;
mod rpm;
mod set;
pub mod versions;

#[cfg(test)]
mod live_tests;

pub use database::{DatabaseFile, MAX_DATABASE_BYTES};
pub use distribution::Distribution;
pub use ecosystem::{PackageKind, is_wanted, wanted_identity};
pub use inventory::{CapturedFile, Inventory, find};
pub use names::{normal_names, soname};
pub use ownership::{Owned, Ownership};
pub use package_url::{add_qualifiers, encoded};
pub use parse::{Parsed, Problem, parse};
pub use set::{ListedFile, Package, PackageIndex, PackageSet, SourcePackage};
