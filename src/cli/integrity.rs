//! How commands treat an image that is incomplete, altered or not verified: those that certify it refuse it, the
//! others warn.

use clap::Args;

use super::open_arguments::OpenArguments;
use super::output;
use nixdive_base::text::display_in_sentence;
use nixdive_image::{Image, Warning};

/// Reasons that are listed.
const MOST_LISTED: usize = 20;

/// Permission to certify an incomplete image.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct IncompleteArguments {
    /// Accept an image that is incomplete, altered or cannot be verified: warn instead of failing with exit code 2
    #[arg(long)]
    pub allow_incomplete: bool,
}

/// Verification required of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Integrity {
    /// Problems found while the image is read for another reason are warnings.
    #[default]
    Warn,
    /// All layers are read and verified; anything wrong is an error.
    Require,
    /// All layers are read and verified; anything wrong is a warning.
    Allow,
}

impl OpenArguments {
    /// The same for an image that is certified.
    #[must_use]
    pub fn certifying(&self, incomplete: IncompleteArguments) -> Self {
        let integrity = if incomplete.allow_incomplete { Integrity::Allow } else { Integrity::Require };
        Self { integrity, ..self.clone() }
    }
}

/// Refuses an image that is not whole, or warns of it on standard error; of an image that is certified all the same, what
/// was not verified counts as a defect from here on.
///
/// # Errors
/// One that lists all reasons, where the image is to be certified.
pub fn enforce(image: &mut Image, integrity: Integrity) -> anyhow::Result<()> {
    if integrity != Integrity::Warn {
        let doubts = image.doubts();
        for defect in doubts.iter().filter(|defect| !image.defects.contains(defect)) {
            image.warnings.push(Warning { layer: defect.layer, message: defect.message.clone() });
        }
        image.defects = doubts;
    }
    let reasons: Vec<String> = image.defects.iter().map(|defect| defect.message.clone()).collect();
    if reasons.is_empty() {
        return Ok(());
    }
    if integrity == Integrity::Require {
        return Err(refusal(&image.identity.requested, &reasons));
    }
    warn(&reasons);
    Ok(())
}

/// Says on standard error what is wrong with an image.
pub fn warn(reasons: &[String]) {
    for reason in reasons.iter().take(MOST_LISTED) {
        output::note(&format!("warning: {reason}"));
    }
    if let Some(more) = reasons.len().checked_sub(MOST_LISTED).filter(|more| *more > 0) {
        output::note(&format!("warning: {more} more like these"));
    }
}

/// Why an image is not certified.
pub fn refusal(name: &str, reasons: &[String]) -> anyhow::Error {
    let mut text = format!("{}: incomplete or altered:", display_in_sentence(name));
    for reason in reasons.iter().take(MOST_LISTED) {
        text.push_str("\n  ");
        text.push_str(reason);
    }
    if let Some(more) = reasons.len().checked_sub(MOST_LISTED).filter(|more| *more > 0) {
        text.push_str(&format!("\n  and {more} more"));
    }
    text.push_str("\nhint: --allow-incomplete accepts it with a warning");
    anyhow::anyhow!(text)
}
