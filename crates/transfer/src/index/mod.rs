//! Indexes of images for several platforms: the plan, the tags and the document itself.

mod document;
mod plan;
mod platform;
mod tags;

pub use document::{Child, DOCKER_LIST, Index, OCI_INDEX};
pub use plan::{Clash, IndexPlan, UnlistableImage};
pub use platform::{ChildPlatform, NoPlatform};
pub use tags::{DEFAULT_BRANCH, TagError, TagRules};
