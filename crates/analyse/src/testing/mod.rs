//! Small images for tests, judged and compared.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

mod compared;
mod judged;

pub use compared::{Known, compare};
pub use judged::{Judged, Made, big, bulk, file, layers, one};
