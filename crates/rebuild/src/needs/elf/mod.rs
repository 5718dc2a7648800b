//! Requirements of a program or library for the dynamic linker, and the names in its constants.
//!
//! Follows "Tool Interface Standard, ELF specification 1.2", the gABI, and for dlopen notes the ELF dlopen metadata of
//! the UAPI group. Every number in the file is checked against its length; claimed sizes never determine an allocation.

mod reader;
mod strings;

#[cfg(test)]
mod tests;

pub(crate) use reader::read;
pub(super) use strings::{Named, absolute_paths};

/// Maximum number of names of one kind kept for a file.
const MOST_NAMES: usize = 4096;

/// Class and machine of an ELF file. Files that differ in them cannot be loaded into one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Machine {
    /// True if addresses have 64 bits.
    pub wide: bool,
    /// True if the byte order is big-endian.
    pub big_endian: bool,
    /// `e_machine`.
    pub number: u16,
}

impl Machine {
    /// Returns the multiarch part of Debian's library directories.
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

    /// Returns the value of `$PLATFORM` in the dynamic linker, as far as it does not depend on the processor.
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

/// Requirements of an ELF file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Elf {
    /// Class and machine of the file.
    pub machine: Machine,
    /// True for a program or a library; object files and core dumps have no needs.
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
    /// Capabilities that follow from its symbols.
    pub abilities: Abilities,
    /// Libraries in its dlopen notes; each note lists alternatives.
    pub dlopen_notes: Vec<DlopenNote>,
    /// Absolute paths among its constants, without duplicates.
    pub paths: Vec<Named>,
    /// Names of libraries among its constants, without duplicates; empty unless it loads libraries at run time.
    pub libraries: Vec<Box<[u8]>>,
}

/// Entry of a dlopen note.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DlopenNote {
    /// Alternatives, of which the first one present is loaded.
    pub sonames: Vec<Box<[u8]>>,
    /// True if the program does not work without it.
    pub is_required: bool,
}

bitflags::bitflags! {
    /// Capabilities of a program or library that follow from its symbols.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub(crate) struct Abilities: u16 {
        /// Loads libraries at run time: `dlopen`.
        const LOADS = 1;
        /// Runs a shell: `system`, `popen`.
        const SHELL = 1 << 1;
        /// Starts other programs: `execve` and related functions.
        const STARTS = 1 << 2;
        /// Converts character sets: `iconv_open`.
        const CONVERTS = 1 << 3;
        /// Cancels threads or creates backtraces, for which the C library loads `libgcc_s`.
        const UNWINDS = 1 << 4;
        /// Reads hashed passwords: `getspnam`.
        const SHADOW = 1 << 5;
        /// Starts programs by name: `execvp` and related functions.
        const STARTS_BY_NAME = 1 << 6;
        /// Uses the user's locale: `setlocale`.
        const LOCALES = 1 << 7;
        /// Names the directory of time zones.
        const ZONES = 1 << 8;
        /// Names a location of certificate authorities.
        const CERTIFICATES = 1 << 9;
    }
}

impl Elf {
    /// Returns `true` for the C library, the dynamic linker, and their parts. Paths in their constants are used only on
    /// behalf of other programs.
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
