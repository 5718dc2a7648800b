use std::io;

use super::Meaning;
use super::style::{LineWriter, StyledLine, labelled, plain_line};
use nixdive_base::text::{display_bytes, display_name};
use nixdive_scan::Section;

/// Headers of one kind that are looked at.
const MOST_HEADERS: u64 = 4096;
/// Bytes of one table that are read.
const MOST_TABLE: u64 = 1 << 20;
/// Bytes of one name.
const MOST_NAME: usize = 4096;

/// Data from the headers of an ELF file ("Tool Interface Standard, ELF specification 1.2" and the
/// gABI). All names are as written; parts that the headers declare but the file lacks are left out
/// and listed among the problems.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ElfSummary {
    /// 32 or 64.
    pub bits: u8,
    /// True for big-endian byte order.
    pub big_endian: bool,
    /// `x86-64`, `AArch64`, …, or the number.
    pub machine: String,
    /// Executable, shared object, …
    pub file_type: String,
    /// The dynamic loader.
    pub interpreter: Option<Vec<u8>>,
    /// The name that a shared library gives itself.
    pub soname: Option<Vec<u8>>,
    /// Libraries needed, in order.
    pub needed: Vec<Vec<u8>>,
    /// Directories searched for libraries first.
    pub rpath: Option<Vec<u8>>,
    /// Directories searched for libraries after `LD_LIBRARY_PATH`.
    pub runpath: Option<Vec<u8>>,
    /// True without a symbol table.
    pub stripped: bool,
    /// True with debugging information.
    pub debug_info: bool,
    /// The build ID, in hexadecimal digits.
    pub build_id: Option<String>,
    /// Sections with the bytes that they take in the file, largest first.
    pub sections: Vec<(Vec<u8>, u64)>,
    /// Problems in the headers.
    pub problems: Vec<String>,
}

/// Reads the headers of an ELF file.
///
/// # Errors
/// When the file cannot be read, or has no whole ELF header.
pub fn summarise_elf(content: &Section) -> io::Result<ElfSummary> {
    let mut reader = Reader { content, wide: true, big_endian: false };
    let header = reader.exact(0, 16)?;
    let (class, data) = (header.get(4).copied(), header.get(5).copied());
    if !header.starts_with(b"\x7fELF") || !matches!(class, Some(1 | 2)) || !matches!(data, Some(1 | 2)) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "has no valid ELF header"));
    }
    reader.wide = class == Some(2);
    reader.big_endian = data == Some(2);
    let header = reader.exact(0, if reader.wide { 64 } else { 52 })?;
    let at = |wide, narrow| if reader.wide { wide } else { narrow };
    let mut summary = ElfSummary {
        bits: if reader.wide { 64 } else { 32 },
        big_endian: reader.big_endian,
        machine: machine(reader.number(&header, 18, 2)),
        stripped: true,
        ..ElfSummary::default()
    };
    let segments = Table {
        offset: reader.word(&header, at(32, 28)),
        entry: reader.number(&header, at(54, 42), 2),
        count: reader.number(&header, at(56, 44), 2),
    };
    let sections = Table {
        offset: reader.word(&header, at(40, 32)),
        entry: reader.number(&header, at(58, 46), 2),
        count: reader.number(&header, at(60, 48), 2),
    };
    let names = reader.number(&header, at(62, 50), 2);
    let loads = reader.segments(&segments, &mut summary);
    reader.sections(&sections, names, &mut summary);
    let dynamic = loads.dynamic.map(|(offset, length)| reader.dynamic(offset, length, &loads, &mut summary));
    let pie = dynamic.unwrap_or_default() || summary.interpreter.is_some();
    summary.file_type = file_type(reader.number(&header, 16, 2), pie, summary.soname.is_some());
    Ok(summary)
}

struct Reader<'a> {
    content: &'a Section,
    wide: bool,
    big_endian: bool,
}

struct Table {
    offset: u64,
    entry: u64,
    count: u64,
}

/// Parts of the file that the program headers describe.
#[derive(Default)]
struct Loads {
    /// Address, offset in the file, bytes in the file.
    mapped: Vec<(u64, u64, u64)>,
    dynamic: Option<(u64, u64)>,
}

impl Loads {
    fn offset_of(&self, address: u64) -> Option<u64> {
        let holds = |&&(start, _, length): &&(u64, u64, u64)| address >= start && address - start < length;
        let (start, offset, _) = self.mapped.iter().find(holds)?;
        offset.checked_add(address - start)
    }
}

impl Reader<'_> {
    /// Up to `length` bytes at `offset`, fewer where the file ends.
    fn some(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let there = self.content.length().saturating_sub(offset);
        let mut bytes = vec![0; length.min(MOST_TABLE).min(there) as usize];
        let count = self.content.read_full_at(&mut bytes, offset)?;
        bytes.truncate(count);
        Ok(bytes)
    }

    fn exact(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let bytes = self.some(offset, length)?;
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// A number of 2, 4 or 8 bytes; 0 where it is not there.
    fn number(&self, bytes: &[u8], at: usize, length: usize) -> u64 {
        let field = bytes.get(at..at + length).unwrap_or_default();
        let add = |number: u64, &byte: &u8| number << 8 | u64::from(byte);
        if self.big_endian { field.iter().fold(0, add) } else { field.iter().rev().fold(0, add) }
    }

    /// A number as long as an address.
    fn word(&self, bytes: &[u8], at: usize) -> u64 {
        self.number(bytes, at, if self.wide { 8 } else { 4 })
    }

    fn table(&self, table: &Table, smallest: u64, what: &str, summary: &mut ElfSummary) -> Vec<Vec<u8>> {
        if table.count == 0 || table.offset == 0 {
            return Vec::new();
        }
        if table.entry < smallest {
            summary.problems.push(format!("{what} headers of {} bytes each", table.entry));
            return Vec::new();
        }
        let count = table.count.min(MOST_HEADERS);
        let mut entries = Vec::new();
        for number in 0..count {
            let offset = table.offset.saturating_add(number.saturating_mul(table.entry));
            match self.exact(offset, smallest) {
                Ok(entry) => entries.push(entry),
                Err(_) => {
                    summary.problems.push(format!("{what} headers beyond the end of the file"));
                    break;
                }
            }
        }
        if count < table.count {
            summary.problems.push(format!("{} {what} headers; only {count} were read", table.count));
        }
        entries
    }

    fn segments(&self, table: &Table, summary: &mut ElfSummary) -> Loads {
        let mut loads = Loads::default();
        let (at, smallest) = if self.wide { ([8, 16, 32], 56) } else { ([4, 8, 16], 32) };
        for header in self.table(table, smallest, "program", summary) {
            let [offset, address, length] = at.map(|at| self.word(&header, at));
            match self.number(&header, 0, 4) {
                1 => loads.mapped.push((address, offset, length)),
                2 => loads.dynamic = Some((offset, length)),
                3 => {
                    let path = self.some(offset, length.min(MOST_NAME as u64)).unwrap_or_default();
                    summary.interpreter = Some(until_nul(&path).to_vec());
                }
                4 => self.notes(offset, length, summary),
                _ => {}
            }
        }
        loads
    }

    fn sections(&self, table: &Table, names: u64, summary: &mut ElfSummary) {
        let smallest = if self.wide { 64 } else { 40 };
        let mut table = Table { ..*table };
        let mut names = names;
        let first = self.some(table.offset, smallest).unwrap_or_default();
        if table.count == 0 && table.offset != 0 {
            // More than 65,279 sections: the count stands in the first header.
            table.count = self.word(&first, if self.wide { 32 } else { 20 });
        }
        if names == 0xffff {
            names = self.number(&first, if self.wide { 40 } else { 24 }, 4);
        }
        let headers = self.table(&table, smallest, "section", summary);
        let (offset_at, length_at) = if self.wide { (24, 32) } else { (16, 20) };
        let strings = usize::try_from(names)
            .ok()
            .and_then(|index| headers.get(index))
            .map(|header| self.some(self.word(header, offset_at), self.word(header, length_at)).unwrap_or_default());
        let strings = strings.unwrap_or_default();
        for header in &headers {
            let name_at = self.number(header, 0, 4) as usize;
            let name = until_nul(strings.get(name_at..).unwrap_or_default());
            let kind = self.number(header, 4, 4);
            let (offset, length) = (self.word(header, offset_at), self.word(header, length_at));
            summary.stripped &= kind != 2;
            summary.debug_info |= name == b".debug_info" || name == b".zdebug_info";
            if kind == 7 {
                self.notes(offset, length, summary);
            }
            // Sections without content (SHT_NULL, SHT_NOBITS) take no bytes in the file.
            if !matches!(kind, 0 | 8) && length > 0 {
                if offset.saturating_add(length) > self.content.length() {
                    summary.problems.push(format!("section {} extends beyond the end of the file", display_name(name)));
                    continue;
                }
                summary.sections.push((name.to_vec(), length));
            }
        }
        summary.problems.truncate(8);
        summary.sections.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    }

    /// The build ID among some notes: type 3 of the owner `GNU`.
    fn notes(&self, offset: u64, length: u64, summary: &mut ElfSummary) {
        let notes = self.some(offset, length.min(64 << 10)).unwrap_or_default();
        let mut rest = notes.as_slice();
        while rest.len() >= 12 && summary.build_id.is_none() {
            let lengths = [self.number(rest, 0, 4) as usize, self.number(rest, 4, 4) as usize];
            let [owner_length, length] = lengths.map(|length| length.min(rest.len()));
            let content_at = 12 + owner_length.next_multiple_of(4);
            let owner = rest.get(12..12 + owner_length).unwrap_or_default();
            let content = rest.get(content_at..content_at + length).unwrap_or_default();
            if owner == b"GNU\0" && self.number(rest, 8, 4) == 3 && content.len() <= 64 {
                summary.build_id = Some(content.iter().map(|byte| format!("{byte:02x}")).collect());
            }
            rest = rest.get(content_at + length.next_multiple_of(4)..).unwrap_or_default();
        }
    }

    /// Reads the dynamic section; whether it says that this is a program at any address (`DF_1_PIE`).
    fn dynamic(&self, offset: u64, length: u64, loads: &Loads, summary: &mut ElfSummary) -> bool {
        let word = if self.wide { 8 } else { 4 };
        let bytes = self.some(offset, length).unwrap_or_default();
        let entries = bytes.chunks_exact(2 * word).map(|entry| (self.word(entry, 0), self.word(entry, word)));
        let entries: Vec<(u64, u64)> = entries.take_while(|&(tag, _)| tag != 0).take(MOST_HEADERS as usize).collect();
        let value = |wanted: u64| entries.iter().find(|(tag, _)| *tag == wanted).map(|&(_, value)| value);
        let strings = value(5).and_then(|address| loads.offset_of(address));
        let Some(strings) = strings else {
            if value(5).is_some() {
                summary.problems.push("the dynamic section's strings are not in the file".to_owned());
            }
            return false;
        };
        let text = |at: u64| {
            let bytes = self.some(strings.saturating_add(at), MOST_NAME as u64).unwrap_or_default();
            until_nul(&bytes).to_vec()
        };
        summary.needed = entries.iter().filter(|(tag, _)| *tag == 1).map(|&(_, at)| text(at)).collect();
        summary.soname = value(14).map(text);
        summary.rpath = value(15).map(text);
        summary.runpath = value(29).map(text);
        value(0x6fff_fffb).is_some_and(|flags| flags & 0x0800_0000 != 0)
    }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}

fn machine(number: u64) -> String {
    let name = match number {
        3 => "x86",
        8 => "MIPS",
        20 => "PowerPC",
        21 => "PowerPC 64",
        22 => "S/390",
        40 => "ARM",
        43 => "SPARC 64",
        62 => "x86-64",
        183 => "AArch64",
        243 => "RISC-V",
        247 => "BPF",
        258 => "LoongArch",
        _ => return format!("machine {number}"),
    };
    name.to_owned()
}

fn file_type(number: u64, is_program: bool, has_soname: bool) -> String {
    let name = match number {
        1 => "object file",
        2 => "executable",
        3 if is_program && !has_soname => "executable, position independent",
        3 => "shared library",
        4 => "core dump",
        _ => return format!("type {number}"),
    };
    name.to_owned()
}

impl ElfSummary {
    /// The summary as lines.
    #[must_use]
    pub fn lines(&self) -> Vec<StyledLine> {
        let order = if self.big_endian { "big-endian" } else { "little-endian" };
        let name = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| display_name(bytes).into_owned());
        let symbols = match (self.stripped, self.debug_info) {
            (true, false) => "stripped",
            (false, false) => "not stripped",
            (_, true) => "not stripped, with debugging information",
        };
        let mut lines = vec![
            labelled("type", &self.file_type),
            labelled("machine", &format!("{}, {} bits, {order}", self.machine, self.bits)),
        ];
        let optional = [
            ("interpreter", name(&self.interpreter)),
            ("soname", name(&self.soname)),
            ("RPATH", name(&self.rpath)),
            ("RUNPATH", name(&self.runpath)),
            ("build ID", self.build_id.clone()),
            ("symbols", Some(symbols.to_owned())),
        ];
        lines.extend(optional.iter().filter_map(|(label, value)| Some(labelled(label, value.as_deref()?))));
        if self.needed.is_empty() {
            lines.push(labelled("needs", "no libraries"));
        }
        for (index, library) in self.needed.iter().enumerate() {
            lines.push(labelled(if index == 0 { "needs" } else { "" }, &display_name(library)));
        }
        lines.extend(self.problems.iter().map(|problem| plain_line(problem, Meaning::Problem)));
        lines.push(StyledLine::default());
        for (section, bytes) in &self.sections {
            let mut line = LineWriter::default();
            line.push(&format!("{:>8}  ", display_bytes(*bytes)), Meaning::Number);
            line.push_bytes(section, Meaning::Plain);
            lines.push(line.finish());
        }
        lines
    }
}
