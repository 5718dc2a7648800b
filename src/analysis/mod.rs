//! What an image's bytes are spent on: dive's figures, the paths that waste, the largest files and directories.
//!
//! Pure functions of [`Image`](crate::image::Image), by node and never by path, in one run over the entries.

mod dockerfile;
mod efficiency;
mod largest;
mod waste;

pub use dockerfile::{Instruction, dockerfile};
pub use efficiency::{Assessment, Figures, RemovedDirectory, WastedPath, assess};
pub use largest::{LargestDirectory, LargestFile, largest};
pub use waste::{Cause, Remedy, Sighting, Waste, explain};

#[cfg(test)]
mod tests;
