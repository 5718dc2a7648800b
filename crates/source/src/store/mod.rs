//! The Nix store of this machine: its store paths, and their representation as layers.

mod closure;
mod error;
mod header;
mod local;
mod plan;
mod rules;
mod stream;
#[cfg(test)]
mod tests;

pub use closure::Closure;
pub use error::StoreError;
pub use header::{BLOCK as TAR_BLOCK, Header as TarHeader};
pub use local::LocalStore;
pub use plan::TarPlan;
pub use rules::{Owner, Permission, Rules};
pub use stream::StoreTar;
