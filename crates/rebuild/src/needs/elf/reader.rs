use super::strings::{self, Constants};
use super::{Abilities, DlopenNote, Elf, MOST_NAMES, Machine};

/// Maximum number of headers of one kind.
const MOST_HEADERS: usize = 4096;
/// Maximum number of entries of the dynamic section.
const MOST_DYNAMIC: usize = 65_536;
/// Maximum length of a name, bytes.
const MOST_NAME: usize = 4096;
/// Maximum length of all notes of one segment, bytes.
const MOST_NOTES: usize = 1 << 20;

/// Type of a dlopen note; its owner is `FDO`.
const DLOPEN_NOTE: u64 = 0x407c_0c0a;

/// Parses an ELF file; `None` if it is not one or its header is truncated.
pub(crate) fn read(bytes: &[u8]) -> Option<Elf> {
    let (class, data) = (*bytes.get(4)?, *bytes.get(5)?);
    if !bytes.starts_with(b"\x7fELF") || !matches!(class, 1 | 2) || !matches!(data, 1 | 2) {
        return None;
    }
    let reader = Reader { bytes, wide: class == 2, big_endian: data == 2 };
    reader.part(0, if reader.wide { 64 } else { 52 })?;
    let mut elf = Elf {
        machine: Machine { wide: reader.wide, big_endian: reader.big_endian, number: reader.number(18, 2) as u16 },
        is_loadable: matches!(reader.number(16, 2), 2 | 3),
        ..Elf::default()
    };
    if elf.is_loadable {
        let loads = reader.segments(&mut elf);
        reader.dynamic(&loads, &mut elf);
        let constants = reader.constants(&loads);
        elf.abilities |= strings::signs(&constants);
        elf.paths = strings::absolute_paths_of(&constants);
        if elf.abilities.contains(Abilities::LOADS) {
            elf.libraries = strings::libraries(&constants);
        }
    }
    Some(elf)
}

struct Reader<'a> {
    bytes: &'a [u8],
    wide: bool,
    big_endian: bool,
}

/// Segments described by the program headers.
#[derive(Default)]
struct Loads {
    /// Address, offset in the file, length in the file, and true if executable, for each segment.
    mapped: Vec<(u64, u64, u64, bool)>,
    dynamic: Option<(u64, u64)>,
}

impl Loads {
    fn offset_of(&self, address: u64) -> Option<u64> {
        let holds = |&&(start, _, length, _): &&(u64, u64, u64, bool)| address >= start && address - start < length;
        let (start, offset, ..) = self.mapped.iter().find(holds)?;
        offset.checked_add(address - start)
    }
}

impl<'a> Reader<'a> {
    /// Returns exactly `length` bytes at an offset.
    fn part(&self, offset: u64, length: u64) -> Option<&'a [u8]> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        self.bytes.get(start..end)
    }

    /// Returns up to `length` bytes at an offset; fewer at the end of the file.
    fn some(&self, offset: u64, length: u64) -> &'a [u8] {
        let rest = usize::try_from(offset).ok().and_then(|start| self.bytes.get(start..)).unwrap_or_default();
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(rest.len());
        rest.get(..length).unwrap_or_default()
    }

    /// Returns a number of 2, 4 or 8 bytes; 0 past the end of the file.
    fn number(&self, at: u64, length: u64) -> u64 {
        let field = self.part(at, length).unwrap_or_default();
        let add = |number: u64, &byte: &u8| number << 8 | u64::from(byte);
        if self.big_endian { field.iter().fold(0, add) } else { field.iter().rev().fold(0, add) }
    }

    /// Returns a number of the length of an address.
    fn word(&self, at: u64) -> u64 {
        self.number(at, if self.wide { 8 } else { 4 })
    }

    fn at(&self, wide: u64, narrow: u64) -> u64 {
        if self.wide { wide } else { narrow }
    }

    fn until_nul(&self, offset: u64) -> &'a [u8] {
        let bytes = self.some(offset, MOST_NAME as u64);
        bytes.get(..memchr::memchr(0, bytes).unwrap_or(bytes.len())).unwrap_or_default()
    }

    /// Returns the offsets of the headers in a table.
    fn headers(&self, offset: u64, entry: u64, count: u64, smallest: u64) -> Vec<u64> {
        if offset == 0 || entry < smallest {
            return Vec::new();
        }
        let there = |&at: &u64| self.part(at, smallest).is_some();
        let at = (0..count).map(|number| offset.saturating_add(number.saturating_mul(entry)));
        at.take_while(there).take(MOST_HEADERS).collect()
    }

    fn segments(&self, elf: &mut Elf) -> Loads {
        let mut loads = Loads::default();
        let (offset, smallest) = (self.word(self.at(32, 28)), self.at(56, 32));
        let (entry, count) = (self.number(self.at(54, 42), 2), self.number(self.at(56, 44), 2));
        for header in self.headers(offset, entry, count, smallest) {
            let field = |wide, narrow| self.word(header.saturating_add(self.at(wide, narrow)));
            let (offset, address, length) = (field(8, 4), field(16, 8), field(32, 16));
            let flags = self.number(header.saturating_add(self.at(4, 24)), 4);
            match self.number(header, 4) {
                1 if loads.mapped.len() < MOST_HEADERS => {
                    loads.mapped.push((address, offset, length, flags & 1 != 0));
                }
                2 => loads.dynamic = Some((offset, length)),
                3 => elf.interpreter = Some(self.until_nul(offset)).filter(|path| !path.is_empty()).map(Box::from),
                4 => self.notes(offset, length, elf),
                _ => {}
            }
        }
        loads
    }

    /// Adds the dlopen notes in a range.
    fn notes(&self, offset: u64, length: u64, elf: &mut Elf) {
        let end = offset.saturating_add(length.min(MOST_NOTES as u64));
        let mut at = offset;
        // Offsets behind the file saturate, and would never reach the end.
        while at.saturating_add(12) <= end && self.part(at, 12).is_some() {
            let (owner_length, length) = (self.number(at, 4), self.number(at.saturating_add(4), 4));
            let owner_at = at.saturating_add(12);
            let content_at = owner_at.saturating_add(owner_length.next_multiple_of(4));
            let is_dlopen = self.number(at.saturating_add(8), 4) == DLOPEN_NOTE;
            if is_dlopen && self.part(owner_at, owner_length) == Some(b"FDO\0") {
                let content = self.part(content_at, length).unwrap_or_default();
                elf.dlopen_notes.extend(dlopen_note(content));
                elf.dlopen_notes.truncate(MOST_NAMES);
            }
            at = content_at.saturating_add(length.next_multiple_of(4));
        }
    }

    fn dynamic(&self, loads: &Loads, elf: &mut Elf) {
        let Some((offset, length)) = loads.dynamic else { return };
        let word = self.at(8, 4);
        let count = usize::try_from(length / (2 * word)).unwrap_or(MOST_DYNAMIC).min(MOST_DYNAMIC);
        let at = (0..count as u64).map(|number| offset.saturating_add(number * 2 * word));
        let entries = at.map(|at| (self.word(at), self.word(at.saturating_add(word))));
        let entries: Vec<(u64, u64)> = entries.take_while(|&(tag, _)| tag != 0).collect();
        let value = |wanted: u64| entries.iter().find(|(tag, _)| *tag == wanted).map(|&(_, value)| value);
        let Some(strings) = value(5).and_then(|address| loads.offset_of(address)) else { return };
        let text = |at: u64| -> Box<[u8]> { self.until_nul(strings.saturating_add(at)).into() };
        let needed = entries.iter().filter(|(tag, _)| *tag == 1).take(MOST_NAMES).map(|&(_, at)| text(at));
        elf.needed = needed.filter(|name| !name.is_empty()).collect();
        elf.soname = value(14).map(text);
        elf.rpath = value(15).map(text);
        elf.runpath = value(29).map(text);
        elf.abilities = abilities(self.some(strings, value(10).unwrap_or_default()));
    }

    /// Returns the constants: sections that are loaded and not executable, or whole segments without a section table.
    fn constants(&self, loads: &Loads) -> Constants<'a> {
        let (offset, smallest) = (self.word(self.at(40, 32)), self.at(64, 40));
        let (entry, count) = (self.number(self.at(58, 46), 2), self.number(self.at(60, 48), 2));
        let mut parts = Vec::new();
        for header in self.headers(offset, entry, count, smallest) {
            let kind = self.number(header.saturating_add(4), 4);
            let flags = self.word(header.saturating_add(8));
            let (loaded, executed) = (flags & 2 != 0, flags & 4 != 0);
            if kind == 1 && loaded && !executed {
                let at = self.word(header.saturating_add(self.at(24, 16)));
                parts.push(self.some(at, self.word(header.saturating_add(self.at(32, 20)))));
            }
        }
        if parts.is_empty() {
            let read_only = loads.mapped.iter().any(|&(_, _, _, executed)| !executed);
            let wanted = loads.mapped.iter().filter(|&&(_, _, _, executed)| !(executed && read_only));
            parts.extend(wanted.map(|&(_, offset, length, _)| self.some(offset, length)));
        }
        // Overlapping sections must not cause more work than the length of the file.
        let mut left = self.bytes.len();
        for part in &mut parts {
            *part = part.get(..part.len().min(left)).unwrap_or_default();
            left -= part.len();
        }
        Constants(parts)
    }
}

/// Returns the capabilities that follow from symbol names. The string table contains imported and defined symbols
/// alike.
fn abilities(names: &[u8]) -> Abilities {
    const SIGNS: [(Abilities, &[&[u8]]); 8] = [
        (Abilities::LOADS, &[b"dlopen", b"dlmopen", b"lt_dlopen", b"lt_dlopenext", b"g_module_open"]),
        (Abilities::SHELL, &[b"system", b"popen", b"wordexp", b"g_spawn_command_line_sync"]),
        (
            Abilities::STARTS,
            &[b"execve", b"execv", b"execl", b"execle", b"posix_spawn", b"fexecve", b"execvp", b"execlp", b"execvpe"],
        ),
        (Abilities::CONVERTS, &[b"iconv_open", b"g_iconv_open"]),
        (Abilities::UNWINDS, &[b"pthread_cancel", b"pthread_exit", b"backtrace", b"thrd_exit"]),
        (Abilities::LOCALES, &[b"setlocale"]),
        (Abilities::SHADOW, &[b"getspnam", b"getspnam_r"]),
        (Abilities::STARTS_BY_NAME, &[b"execvp", b"execlp", b"execvpe", b"posix_spawnp"]),
    ];
    let mut found = Abilities::empty();
    for name in names.split(|&byte| byte == 0) {
        for (ability, signs) in SIGNS {
            if signs.contains(&name) {
                found |= ability;
            }
        }
    }
    if found.contains(Abilities::STARTS_BY_NAME) || found.contains(Abilities::SHELL) {
        found |= Abilities::STARTS;
    }
    found
}

/// Parses the content of a dlopen note: a JSON list of objects with `soname` and `priority`.
fn dlopen_note(content: &[u8]) -> Vec<DlopenNote> {
    let text = content.split(|&byte| byte == 0).next().unwrap_or_default();
    let Ok(serde_json::Value::Array(list)) = serde_json::from_slice(text) else { return Vec::new() };
    let names = |one: &serde_json::Value| -> Vec<Box<[u8]>> {
        let names = one.get("soname").and_then(|names| names.as_array()).map(Vec::as_slice).unwrap_or_default();
        names.iter().filter_map(|name| Some(name.as_str()?.as_bytes().into())).take(MOST_NAMES).collect()
    };
    let is_required = |one: &serde_json::Value| one.get("priority").and_then(|word| word.as_str()) == Some("required");
    list.iter()
        .take(MOST_NAMES)
        .map(|one| DlopenNote { sonames: names(one), is_required: is_required(one) })
        .filter(|note| !note.sonames.is_empty())
        .collect()
}
