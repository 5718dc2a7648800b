//! Indexes of images for several platforms: which tags they get, and the document itself.

mod document;
mod platform;
mod tags;

pub use document::{Child, Clash, DOCKER_LIST, Index, OCI_INDEX};
pub use platform::{ChildPlatform, NoPlatform};
pub use tags::{DEFAULT_BRANCH, TagError, TagRules};
