//! Analysis of an image's size: dive's figures, wasteful paths, the largest files and directories.
//!
//! Pure functions of [`Image`](nixdive_image::Image), by node and never by path, in one run over the entries.

mod base;
mod dockerfile;
mod efficiency;
mod hidden;
mod largest;
mod waste;

pub use base::base_layers;
pub use dockerfile::{Instruction, dockerfile};
pub use efficiency::{Assessment, Figures, RemovedDirectory, WastedPath, assess};
pub use hidden::{HiddenCopies, HiddenPaths, HiddenTotals};
pub use largest::{LargestDirectory, LargestFile, largest};
pub use waste::{Cause, Remedy, Sighting, Waste, explain};

#[cfg(test)]
mod tests;
