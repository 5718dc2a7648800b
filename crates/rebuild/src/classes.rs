//! Drop classes of files, determined by path.

use super::plan::DropClass;
use nixdive_analyse::findings::{FileClass, classify, classify_in_store};

/// Returns the class of a file outside the store by its absolute path.
pub(super) fn class_of(path: &[u8]) -> Option<DropClass> {
    let found = classify(path).map(|(class, _)| class);
    of(found, path)
}

/// Returns the class of a file in a store path; `store` is the length of the store path in the file's absolute path.
pub(super) fn class_in_store(path: &[u8], store: usize) -> Option<DropClass> {
    let found = classify_in_store(path, store).map(|(class, _)| class);
    of(found, path)
}

fn of(found: Option<FileClass>, path: &[u8]) -> Option<DropClass> {
    let is_debug = memchr::memmem::find(path, b"/lib/debug/").is_some() || path.ends_with(b".debug");
    match found {
        _ if is_debug => Some(DropClass::Debug),
        Some(FileClass::Documentation) => Some(DropClass::Docs),
        Some(FileClass::Locales) => Some(DropClass::Locales),
        Some(FileClass::Development) if path.ends_with(b".a") => Some(DropClass::StaticLibs),
        Some(FileClass::Development) => Some(DropClass::Dev),
        _ if path.ends_with(b".la") => Some(DropClass::Dev),
        Some(FileClass::TestSuite) => Some(DropClass::Tests),
        Some(FileClass::Bytecode) => Some(DropClass::Pycache),
        Some(FileClass::VersionControl | FileClass::PackageCache | FileClass::Temporary | FileClass::BuildTools)
        | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_class_that_people_drop_them_by() {
        let cases: [(&[u8], Option<DropClass>); 8] = [
            (b"/usr/share/man/man1/ls.1", Some(DropClass::Docs)),
            (b"/usr/share/doc/bash/copyright", None),
            (b"/usr/share/locale/de/LC_MESSAGES/x.mo", Some(DropClass::Locales)),
            (b"/usr/include/stdio.h", Some(DropClass::Dev)),
            (b"/usr/lib/libm.a", Some(DropClass::StaticLibs)),
            (b"/usr/lib/python3/__pycache__/a.pyc", Some(DropClass::Pycache)),
            (b"/usr/lib/debug/.build-id/aa/bb.debug", Some(DropClass::Debug)),
            (b"/usr/bin/ls", None),
        ];
        for (path, class) in cases {
            assert_eq!(class_of(path), class, "{}", String::from_utf8_lossy(path));
        }
    }
}
