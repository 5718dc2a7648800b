/// Bytes of a script or wrapper in which it is looked for what it executes.
const MOST_WRAPPER: u64 = 64 << 10;
/// Paths and names that one script executes, and bytes of each.
const MOST_EXECUTED: usize = 64;
const MOST_NAME: usize = 4096;
/// Bytes of a script's first line that Linux reads.
const MOST_LINE: usize = 255;
/// Program headers that are looked at.
const MOST_HEADERS: u64 = 256;

/// The processor of a program: class, byte order and `e_machine` of its ELF header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Machine {
    /// True if addresses have 64 bits.
    pub wide: bool,
    /// True for big-endian byte order.
    pub big_endian: bool,
    /// `e_machine`.
    pub number: u16,
}

impl Machine {
    /// Returns `true` if it runs on the processor with this Go architecture name, as in container
    /// platforms; `None` if the name is unknown.
    #[must_use]
    pub fn runs_on(self, architecture: &str) -> Option<bool> {
        let Self { wide, big_endian, number } = self;
        Some(match architecture {
            // These processors run programs of their 32-bit predecessors too.
            "amd64" => matches!(number, 62 | 3),
            "arm64" => matches!(number, 183 | 40) && !big_endian,
            "386" => number == 3,
            "arm" => number == 40 && !big_endian,
            "ppc64le" => number == 21 && !big_endian,
            "ppc64" => matches!(number, 20 | 21) && big_endian,
            "s390x" => number == 22,
            "riscv64" => number == 243 && wide,
            "loong64" => number == 258,
            "mips64le" | "mipsle" => number == 8 && !big_endian,
            "mips64" | "mips" => number == 8 && big_endian,
            _ => return None,
        })
    }

    /// Its name, as Go calls it where Go does.
    #[must_use]
    pub fn name(self) -> String {
        let name = match (self.number, self.big_endian) {
            (3, _) => "386",
            (8, false) => "mipsle",
            (8, true) => "mips",
            (20, _) => "ppc",
            (21, false) => "ppc64le",
            (21, true) => "ppc64",
            (22, _) => "s390x",
            (40, _) => "arm",
            (62, _) => "amd64",
            (183, _) => "arm64",
            (243, _) if self.wide => "riscv64",
            (243, _) => "riscv32",
            (258, _) => "loong64",
            (number, _) => return format!("ELF machine {number}"),
        };
        name.to_owned()
    }
}

/// The start-up information in the first bytes of an executable file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// An ELF program or library.
    Elf {
        /// Machine it runs on.
        machine: Machine,
        /// `PT_INTERP`; `None` for a static program.
        interpreter: Option<Box<[u8]>>,
        /// Programs that a wrapper executes.
        executes: Box<[Box<[u8]>]>,
    },
    /// A script: begins with `#!`.
    Script {
        /// The words of its first line.
        line: Box<[Box<[u8]>]>,
        /// Absolute paths and names that it executes, as far as that is seen.
        executes: Box<[Box<[u8]>]>,
    },
}

impl Program {
    /// Bytes at the beginning of a file by which [`Program::read`] tells all that it can.
    pub const START: usize = MOST_WRAPPER as usize;

    /// Reads the first bytes of a file of `file_bytes`; `None` for what is neither a program nor a script.
    #[must_use]
    pub fn read(start: &[u8], file_bytes: u64) -> Option<Self> {
        let is_short = file_bytes <= MOST_WRAPPER;
        if let Some(behind) = start.strip_prefix(b"#!") {
            let line = behind.split(|&byte| byte == b'\n').next().unwrap_or_default();
            let line = line.get(..line.len().min(MOST_LINE)).unwrap_or_default();
            let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
            let words = line.split(is_blank).filter(|word| !word.is_empty()).map(Into::into).collect();
            let executes = if is_short { executed_by_script(start) } else { Box::default() };
            return Some(Self::Script { line: words, executes });
        }
        let header = Header::read(start)?;
        let executes = if is_short { executed_by_wrapper(start) } else { Box::default() };
        Some(Self::Elf { machine: header.machine, interpreter: header.interpreter(), executes })
    }

    /// Bytes of the names that it keeps.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let sum = |names: &[Box<[u8]>]| names.iter().map(|name| name.len() + 16).sum::<usize>();
        match self {
            Self::Elf { interpreter, executes, .. } => {
                interpreter.as_ref().map_or(0, |name| name.len()) + sum(executes)
            }
            Self::Script { line, executes } => sum(line) + sum(executes),
        }
    }

    /// Returns the machine it runs on; `None` for a script.
    #[must_use]
    pub fn machine(&self) -> Option<Machine> {
        match self {
            Self::Elf { machine, .. } => Some(*machine),
            Self::Script { .. } => None,
        }
    }
}

/// Returns the programs that a script executes: the words after `exec`, and the store paths in it,
/// without its comments.
fn executed_by_script(text: &[u8]) -> Box<[Box<[u8]>]> {
    let mut found: Vec<Box<[u8]>> = Vec::new();
    let lines = text.split(|&byte| byte == b'\n').skip(1).filter(|line| !line.trim_ascii_start().starts_with(b"#"));
    for line in lines {
        let words = line.split(|byte| byte.is_ascii_whitespace() || b"\"'`;,=()<>{}|&$:".contains(byte));
        let mut follows_exec = false;
        for word in words.filter(|word| !word.is_empty() && word.len() <= MOST_NAME) {
            let is_option = word.first() == Some(&b'-');
            let is_path = word.starts_with(b"/nix/store/") || follows_exec && !is_option;
            if is_path && !found.iter().any(|known| **known == *word) {
                found.push(word.into());
            }
            follows_exec = word == b"exec" || follows_exec && (is_option || !word.contains(&b'/'));
            if found.len() >= MOST_EXECUTED {
                return found.into();
            }
        }
    }
    found.into()
}

/// The wrapped programs that a binary wrapper names: `/nix/store/…/bin/.web-wrapped`.
fn executed_by_wrapper(bytes: &[u8]) -> Box<[Box<[u8]>]> {
    let mut found: Vec<Box<[u8]>> = Vec::new();
    for at in memchr::memmem::find_iter(bytes, b"/nix/store/").take(4 * MOST_EXECUTED) {
        let rest = bytes.get(at..).unwrap_or_default();
        let end = rest.iter().position(|byte| !byte.is_ascii_graphic() || b"\"'`:;".contains(byte));
        let path = rest.get(..end.unwrap_or(rest.len()).min(MOST_NAME)).unwrap_or_default();
        let is_program = memchr::memmem::find(path, b"/bin/").is_some();
        if is_program && found.len() < MOST_EXECUTED && !found.iter().any(|known| **known == *path) {
            found.push(path.into());
        }
    }
    found.into()
}

/// The header of an ELF file: "Tool Interface Standard, ELF specification 1.2", sections 1-1 and 2-1.
struct Header<'a> {
    bytes: &'a [u8],
    machine: Machine,
}

impl<'a> Header<'a> {
    /// Reads the header; `None` unless the file is a program or library.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (class, data) = (*bytes.get(4)?, *bytes.get(5)?);
        if !bytes.starts_with(b"\x7fELF") || !matches!(class, 1 | 2) || !matches!(data, 1 | 2) {
            return None;
        }
        let machine = Machine { wide: class == 2, big_endian: data == 2, number: 0 };
        let mut header = Self { bytes, machine };
        header.machine.number = u16::try_from(header.number(18, 2)?).ok()?;
        matches!(header.number(16, 2)?, 2 | 3).then_some(header)
    }

    /// The path in `PT_INTERP`.
    fn interpreter(&self) -> Option<Box<[u8]>> {
        let wide = self.machine.wide;
        let (table, entry, count) = match wide {
            true => (self.number(32, 8)?, self.number(54, 2)?, self.number(56, 2)?),
            false => (self.number(28, 4)?, self.number(42, 2)?, self.number(44, 2)?),
        };
        for place in 0..count.min(MOST_HEADERS) {
            let at = table.checked_add(entry.checked_mul(place)?)?;
            if self.number(at, 4)? != 3 {
                continue;
            }
            let (offset, length) = match wide {
                true => (self.number(at.checked_add(8)?, 8)?, self.number(at.checked_add(32)?, 8)?),
                false => (self.number(at.checked_add(4)?, 4)?, self.number(at.checked_add(16)?, 4)?),
            };
            let start = usize::try_from(offset).ok()?;
            let path = self.bytes.get(start..start.checked_add(usize::try_from(length).ok()?)?)?;
            let path = path.split(|&byte| byte == 0).next().unwrap_or_default();
            return (!path.is_empty() && path.len() <= MOST_NAME).then(|| path.into());
        }
        None
    }

    fn number(&self, at: u64, length: usize) -> Option<u64> {
        let start = usize::try_from(at).ok()?;
        let field = self.bytes.get(start..start.checked_add(length)?)?;
        let add = |number: u64, &byte: &u8| number << 8 | u64::from(byte);
        Some(if self.machine.big_endian { field.iter().fold(0, add) } else { field.iter().rev().fold(0, add) })
    }
}
