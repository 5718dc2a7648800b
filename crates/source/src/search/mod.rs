//! Finding paths by a few of their letters, and files by what is in them.
//!
//! Both run on whatever thread calls them, hand out what they find as they go, and stop when asked to.

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
