//! The engine behind every command: an [`Examined`] image, whose packages, store, findings and figures are computed once,
//! when a command first asks for them.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod error;
mod examined;
#[cfg(test)]
mod tests;
mod together;

pub use error::ExamineError;
pub use examined::{Examined, packages_of};
pub use together::{FailedImage, Together};
