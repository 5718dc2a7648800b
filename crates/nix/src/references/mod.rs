//! Which store paths a stream of bytes refers to.
//!
//! Three ways: [`ReferenceScanner`] for a known set of hashes, exactly as Nix finds references; [`HashCollector`] for
//! a single pass whose candidates become known later; [`MentionScanner`] for store paths by their written form, which
//! finds dangling and scrubbed references too.

mod candidates;
mod collector;
mod mentions;
mod scanner;
mod windows;

pub use candidates::Candidates;
pub use collector::{Collected, HashCollector};
pub use mentions::{Mention, MentionScanner, Mentions};
pub use scanner::{Reference, ReferenceScanner};
