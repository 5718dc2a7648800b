//! Finds paths by a few of their letters, and files by their content.
//!
//! Both run on the caller's thread, report results as they find them, and can be cancelled.

mod content;
mod excerpt;
mod paths;
mod pattern;
mod scan;
mod score;
#[cfg(test)]
mod tests;

pub use content::{ContentSearch, SearchEvent, SearchSummary};
pub use excerpt::ContentHit;
pub use paths::{PathHit, PathResults, PathSearch};
pub use pattern::{Pattern, PatternError};
pub use score::PathQuery;

pub use nixdive_base::cancel::Cancel;
