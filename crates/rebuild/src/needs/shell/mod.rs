//! Commands that a shell script calls, as far as its text shows: POSIX, "Shell Command Language", with bash extensions.

mod commands;
mod lexer;

#[cfg(test)]
use commands::Script;
pub(super) use commands::read;

#[cfg(test)]
mod tests;
