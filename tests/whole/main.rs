//! The whole program, from what is typed to what is shown.

#[path = "../support/mod.rs"]
mod support;

mod kinds;
mod tar_features;
