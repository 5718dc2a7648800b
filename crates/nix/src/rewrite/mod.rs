//! Store paths by their content: rewriting references in a stream, and the name that Nix gives to a content.
//!
//! `nix store make-content-addressed` (2.8), bottom up over a closure, for each path: replaces the printed store paths
//! of its references by their new ones ([`StorePathRewriter`]), hashes the NAR with its own hash part blanked
//! ([`HashModulo`]), makes the new path of that hash, the name and the new references ([`content_addressed_path`]), and
//! writes the NAR with the old hash part replaced by the new one ([`HashRewriter`]).

mod content_address;
mod hash_rewriter;
mod path_rewriter;

pub use content_address::{HashModulo, content_address_text, content_addressed_path};
pub use hash_rewriter::HashRewriter;
pub use path_rewriter::StorePathRewriter;

#[cfg(test)]
mod tests;
