//! What a program or library asks of the dynamic linker, and what its constants name.
//!
//! "Tool Interface Standard, ELF specification 1.2", the gABI, and for dlopen notes the ELF dlopen metadata of the
//! UAPI group. Every number of the file is checked against its length; nothing is allocated by what it claims.

mod reader;
mod strings;

#[cfg(test)]
mod tests;

pub(crate) use reader::read;
pub(super) use strings::{Named, absolute_paths};

/// Names of one kind that are kept of one file.
const MOST_NAMES: usize = 4096;

/// Words of an ELF file's class and machine: two that differ cannot be loaded into one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Machine {
    /// Whether addresses have 64 bits.
    pub wide: bool,
    /// Whether the high byte comes first.
    pub big_endian: bool,
    /// `e_machine`.
    pub number: u16,
}

impl Machine {
    /// The name in the middle of Debian's library directories.
    pub fn triplet(self) -> Option<&'static str> {
        Some(match (self.number, self.wide, self.big_endian) {
            (3, ..) => "i386-linux-gnu",
            (8, true, false) => "mips64el-linux-gnuabi64",
            (21, _, false) => "powerpc64le-linux-gnu",
            (22, ..) => "s390x-linux-gnu",
            (40, ..) => "arm-linux-gnueabihf",
            (62, true, _) => "x86_64-linux-gnu",
            (183, ..) => "aarch64-linux-gnu",
            (243, ..) => "riscv64-linux-gnu",
            (258, ..) => "loongarch64-linux-gnu",
            _ => return None,
        })
    }

    /// What the dynamic linker puts for `$PLATFORM`, as far as it does not depend on the processor.
    pub fn platform(self) -> &'static str {
        match self.number {
            3 => "i686",
            62 => "x86_64",
            183 => "aarch64",
            40 => "v7l",
            22 => "s390x",
            _ => "",
        }
    }
}

/// What an ELF file asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Elf {
    /// What it runs on.
    pub machine: Machine,
    /// Whether it is a program or a library; object files and core dumps need nothing.
    pub is_loadable: bool,
    /// `PT_INTERP`.
    pub interpreter: Option<Box<[u8]>>,
    /// `DT_SONAME`.
    pub soname: Option<Box<[u8]>>,
    /// `DT_NEEDED`, in order.
    pub needed: Vec<Box<[u8]>>,
    /// `DT_RPATH`.
    pub rpath: Option<Box<[u8]>>,
    /// `DT_RUNPATH`.
    pub runpath: Option<Box<[u8]>>,
    /// What its symbols say that it can do.
    pub abilities: Abilities,
    /// Libraries that its dlopen notes name: a list of alternatives each.
    pub dlopen_notes: Vec<DlopenNote>,
    /// Absolute paths among its constants, each once.
    pub paths: Vec<Named>,
    /// Names of libraries among its constants, each once; empty unless it loads libraries while it runs.
    pub libraries: Vec<Box<[u8]>>,
}

/// One entry of a dlopen note.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DlopenNote {
    /// The first of these that is there is loaded.
    pub sonames: Vec<Box<[u8]>>,
    /// Whether the program does not work without.
    pub is_required: bool,
}

bitflags::bitflags! {
    /// What the symbols of a program or library say that it can do.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub(crate) struct Abilities: u16 {
        /// Loads libraries while it runs: `dlopen`.
        const LOADS = 1;
        /// Runs a shell: `system`, `popen`.
        const SHELL = 1 << 1;
        /// Starts other programs: `execve` and its like.
        const STARTS = 1 << 2;
        /// Converts character sets: `iconv_open`.
        const CONVERTS = 1 << 3;
        /// Cancels threads, or asks for a backtrace: the C library then loads `libgcc_s`.
        const UNWINDS = 1 << 4;
        /// Reads hashed passwords: `getspnam`.
        const SHADOW = 1 << 5;
        /// Finds programs by their names: `execvp` and its like.
        const STARTS_BY_NAME = 1 << 6;
        /// Speaks to people in their language: `setlocale`.
        const LOCALES = 1 << 7;
        /// Names the directory of time zones.
        const ZONES = 1 << 8;
        /// Names where systems have their certificate authorities.
        const CERTIFICATES = 1 << 9;
    }
}

impl Elf {
    /// Whether this is the C library, the dynamic linker, or one of the parts that they come in. What these name among
    /// their constants is for others to ask.
    pub fn is_c_library(&self) -> bool {
        const PARTS: [&[u8]; 9] = [
            b"libc.so",
            b"ld-linux",
            b"ld64.so",
            b"ld.so",
            b"libpthread.so",
            b"libresolv.so",
            b"libc.musl-",
            b"ld-musl",
            b"libnss_",
        ];
        self.soname.as_deref().is_some_and(|soname| PARTS.iter().any(|part| soname.starts_with(part)))
    }
}
