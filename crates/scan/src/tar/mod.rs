//! tar streams: one reader for archives and layers, over bytes that come by and over bytes that can be hopped over.

mod header;
mod input;
mod path;
mod pax;
mod sparse;
mod walk;

pub use header::{BLOCK, Header};
pub use input::{SectionInput, TarInput};
pub use path::{Oddity, normalize};
pub use pax::Extended;
pub use walk::{Member, TarError, TarWalker};

#[cfg(test)]
mod tests;
