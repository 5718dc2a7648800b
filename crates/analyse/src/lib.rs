//! Pure functions of an opened image: efficiency, findings, comparison, rules and verdicts.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod analysis;
pub mod ci;
pub mod compare;
pub mod examine;
pub mod findings;

#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod testing;
