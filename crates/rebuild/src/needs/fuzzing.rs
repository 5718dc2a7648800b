//! Readers of programs and scripts that fuzz targets call. Each returns how much it found.

use super::{calls, elf as programs, glob, jar as jars, linker_cache as linker, python as modules, settings as files};

/// Reads an ELF program or library. Returns the bytes of the names of libraries.
#[must_use]
pub fn elf(bytes: &[u8]) -> usize {
    programs::read(bytes).map_or(0, |elf| elf.needed.iter().chain(&elf.libraries).map(|name| name.len()).sum())
}

/// Looks for absolute paths in constants. Returns their number.
#[must_use]
pub fn paths(bytes: &[u8]) -> usize {
    programs::absolute_paths(bytes).len()
}

/// Reads `ld.so.cache`. Returns the number of entries.
#[must_use]
pub fn linker_cache(bytes: &[u8]) -> usize {
    linker::read(bytes).len()
}

/// Reads a shell script. Returns the number of commands.
#[must_use]
pub fn shell(bytes: &[u8]) -> usize {
    super::shell::read(bytes, &[(b"HOME".to_vec(), b"/root".to_vec())]).commands.len()
}

/// Reads the imports of a Python module. Returns their number.
#[must_use]
pub fn python(bytes: &[u8]) -> usize {
    modules::imports(bytes).len()
}

/// Reads the class path of a jar. Returns the number of names.
#[must_use]
pub fn jar(bytes: &[u8]) -> usize {
    jars::class_path(bytes).len()
}

/// Reads the commands that scripts of Perl, Ruby, Node.js and Python start. Returns their number.
#[must_use]
pub fn calls(bytes: &[u8]) -> usize {
    calls::started(bytes, &["system", "exec", "spawn"]).len() + calls::between_backticks(bytes).len()
}

/// Reads the commands in a file of settings. Returns their number.
#[must_use]
pub fn settings(bytes: &[u8]) -> usize {
    files::commands(bytes, true).count() + files::commands(bytes, false).count()
}

/// Whether a name matches a pattern of the shell.
#[must_use]
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    glob::matches(pattern, name)
}
