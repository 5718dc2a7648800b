//! What a shell script calls, as far as its text tells: POSIX, "Shell Command Language", with what bash adds.

mod commands;
mod lexer;

#[cfg(test)]
use commands::Script;
pub(super) use commands::read;

#[cfg(test)]
mod tests;
