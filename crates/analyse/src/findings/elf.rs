/// Bytes of a table of sections that are kept.
const MOST_TABLE: u64 = 1 << 20;

/// Finds out what `strip` would take from an ELF file, from its bytes as they come by ("Tool Interface Standard, ELF
/// specification 1.2", sections 1-1 and 1-9): sections that are never loaded. No name is needed for that.
#[derive(Debug)]
pub(super) struct StripScan {
    wide: bool,
    big_endian: bool,
    names_index: usize,
    entry_bytes: usize,
    table_start: u64,
    table_end: u64,
    position: u64,
    table: Vec<u8>,
}

impl StripScan {
    /// Begins with the first bytes of a file; `None` unless it is a program or library with a
    /// section table.
    pub fn begin(start: &[u8]) -> Option<Self> {
        if !start.starts_with(b"\x7fELF") {
            return None;
        }
        let wide = match start.get(4)? {
            1 => false,
            2 => true,
            _ => return None,
        };
        let big_endian = *start.get(5)? == 2;
        let number = |at: usize, length: usize| number(start, at, length, big_endian);
        let kind = number(16, 2)?;
        // Object files and core dumps need what strip would take.
        if !matches!(kind, 2 | 3) {
            return None;
        }
        let (table_start, entry, count, names) = match wide {
            true => (number(40, 8)?, number(58, 2)?, number(60, 2)?, number(62, 2)?),
            false => (number(32, 4)?, number(46, 2)?, number(48, 2)?, number(50, 2)?),
        };
        let smallest = if wide { 64 } else { 40 };
        let bytes = entry.checked_mul(count)?;
        if table_start == 0 || entry < smallest || bytes == 0 || bytes > MOST_TABLE {
            return None;
        }
        Some(Self {
            wide,
            big_endian,
            names_index: usize::try_from(names).ok()?,
            entry_bytes: usize::try_from(entry).ok()?,
            table_start,
            table_end: table_start.checked_add(bytes)?,
            position: 0,
            table: Vec::new(),
        })
    }

    /// Takes the next bytes, the first ones included.
    pub fn feed(&mut self, bytes: &[u8]) {
        let end = self.position.saturating_add(bytes.len() as u64);
        let from = self.table_start.max(self.position);
        let until = self.table_end.min(end);
        if from < until {
            let range = (from - self.position) as usize..(until - self.position) as usize;
            self.table.extend_from_slice(bytes.get(range).unwrap_or_default());
        }
        self.position = end;
    }

    /// Returns `true` if no further bytes are needed.
    pub fn is_done(&self) -> bool {
        self.position >= self.table_end
    }

    /// Bytes of sections that are never loaded, in a file of `file_bytes`.
    pub fn strippable_bytes(&self, file_bytes: u64) -> u64 {
        let (flags_at, length_at, word) = if self.wide { (8, 32, 8) } else { (8, 20, 4) };
        let mut sum = 0u64;
        for (index, header) in self.table.chunks_exact(self.entry_bytes).enumerate() {
            let field = |at, length| number(header, at, length, self.big_endian).unwrap_or_default();
            let (kind, is_loaded) = (field(4, 4), field(flags_at, word) & 2 != 0);
            // Contents (1), symbols (2), strings (3); what names the sections themselves stays.
            if matches!(kind, 1..=3) && !is_loaded && index != self.names_index {
                sum = sum.saturating_add(field(length_at, word));
            }
        }
        sum.min(file_bytes)
    }
}

fn number(bytes: &[u8], at: usize, length: usize, big_endian: bool) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(length)?)?;
    let add = |number: u64, &byte: &u8| number << 8 | u64::from(byte);
    Some(if big_endian { field.iter().fold(0, add) } else { field.iter().rev().fold(0, add) })
}
