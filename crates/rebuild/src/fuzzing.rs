//! Parsers of this crate that fuzz targets call and that are not public otherwise.

pub use crate::needs::fuzzing::*;
