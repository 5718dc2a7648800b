//! Reports for people and programs. They read an image and what analysis says of it, and write to any [`std::io::Write`].
//!
//! Paths are bytes. Text and Markdown spell out what is not UTF-8 or would steer a terminal
//! ([`display_name`](nixdive_base::text::display_name)). JSON gives `path` with U+FFFD for each byte that is not UTF-8, and
//! only in that case also `pathBytes`, the whole path in hexadecimal.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod artifact;
mod ci;
mod compare;
mod dive_export;
mod document;
mod findings;
mod html;
mod inspect;
mod json;
mod listing;
mod markdown;
mod names;
mod page;
mod plan;
mod sbom;
mod sections;
mod store;
mod table;
mod text;
mod tree;
mod why;

pub use artifact::{ARTIFACT_SCHEMA, write_artifact};
pub use ci::{CI_SCHEMA, CiFormat, CiReport};
pub use compare::{COMPARE_SCHEMA, CompareFormat, SHARE_SCHEMA, ShareFormat, ShareReport, write_comparison};
pub use dive_export::write_dive_export;
pub use document::{DocumentPath, INSPECT_SCHEMA};
pub use inspect::{Format, InspectOptions, Inspection};
pub use plan::{PLAN_SCHEMA, PlanReport};
pub use sbom::{Component, Sbom, SbomFormat};
pub use tree::write_store_tree;
pub use why::{WHY_SCHEMA, WhyReport};

#[cfg(test)]
mod tests;
