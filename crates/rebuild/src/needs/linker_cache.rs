/// Maximum number of entries of a cache.
const MOST_ENTRIES: usize = 1 << 17;

/// Library in the dynamic linker's cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cached<'a> {
    /// Name by which programs request the library.
    pub name: &'a [u8],
    /// Path of the library.
    pub path: &'a [u8],
}

/// Parses `ld.so.cache`, in the order in which the dynamic linker searches its entries: the format
/// `glibc-ld.so.cache1.1`, alone or after the older `ld.so-1.7.0`, and the older one alone (glibc,
/// `sysdeps/generic/dl-cache.h`). An invalid cache has no entries.
pub(super) fn read(bytes: &[u8]) -> Vec<Cached<'_>> {
    const OLD: &[u8] = b"ld.so-1.7.0";
    if bytes.starts_with(NEW) {
        return read_new(bytes);
    }
    if !bytes.starts_with(OLD) {
        return Vec::new();
    }
    let count = number(bytes, 12).unwrap_or_default();
    let strings = count.checked_mul(12).and_then(|length| length.checked_add(16)).unwrap_or(usize::MAX);
    let new = strings.checked_next_multiple_of(8).and_then(|at| bytes.get(at..)).unwrap_or_default();
    if new.starts_with(NEW) {
        return read_new(new);
    }
    entries(bytes, bytes.get(strings..).unwrap_or_default(), 16, 12, count)
}

const NEW: &[u8] = b"glibc-ld.so.cache1.1";

fn read_new(bytes: &[u8]) -> Vec<Cached<'_>> {
    entries(bytes, bytes, 48, 24, number(bytes, 20).unwrap_or_default())
}

/// Parses entries of `length` bytes from `start`, each with flags and the offsets of name and path in `strings`.
fn entries<'a>(bytes: &'a [u8], strings: &'a [u8], start: usize, length: usize, count: usize) -> Vec<Cached<'a>> {
    let table = bytes.get(start..).unwrap_or_default();
    let text = |at: usize| {
        let rest = strings.get(at..)?;
        rest.get(..memchr::memchr(0, rest)?)
    };
    let cached = |entry: &[u8]| Some(Cached { name: text(number(entry, 4)?)?, path: text(number(entry, 8)?)? });
    table.chunks_exact(length).take(count.min(MOST_ENTRIES)).filter_map(cached).collect()
}

/// Parses a little-endian number of four bytes. Caches of big-endian machines are not parsed; the directories that they
/// list are searched in any case.
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let field = bytes.get(at..)?.first_chunk::<4>()?;
    usize::try_from(u32::from_le_bytes(*field)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn new_cache(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = NEW.to_vec();
        bytes.extend((entries.len() as u32).to_le_bytes());
        bytes.resize(48, 0);
        let mut strings = Vec::new();
        let start = 48 + 24 * entries.len();
        for (name, path) in entries {
            bytes.extend(3u32.to_le_bytes());
            for text in [name, path] {
                bytes.extend(((start + strings.len()) as u32).to_le_bytes());
                strings.extend(text.bytes().chain([0]));
            }
            bytes.extend([0; 12]);
        }
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn both_formats_and_the_two_together_are_read() {
        let new = new_cache(&[("libz.so.1", "/lib/libz.so.1"), ("liba.so", "/opt/liba.so")]);
        let expected = [
            Cached { name: b"libz.so.1", path: b"/lib/libz.so.1" },
            Cached { name: b"liba.so", path: b"/opt/liba.so" },
        ];
        assert_eq!(read(&new), expected);

        let mut old = b"ld.so-1.7.0\0".to_vec();
        for number in [1u32, 3, 0, 8] {
            old.extend(number.to_le_bytes());
        }
        let alone = [&old[..], b"libc.so\0/lib/libc.so\0"].concat();
        assert_eq!(read(&alone), [Cached { name: b"libc.so", path: b"/lib/libc.so" }]);

        old.resize(old.len().next_multiple_of(8), 0);
        assert_eq!(read(&[old, new].concat()), expected);
        assert_eq!(read(b"not a cache"), []);
    }

    proptest! {
        #[test]
        fn damage_is_survived(at in 0usize..200, byte in any::<u8>(), cut in 0usize..200) {
            let mut bytes = new_cache(&[("libz.so.1", "/lib/libz.so.1"), ("liba.so", "/opt/liba.so")]);
            let length = bytes.len();
            bytes[at % length] = byte;
            bytes.truncate(cut.min(length));
            prop_assert!(read(&bytes).len() <= MOST_ENTRIES);
        }
    }
}
