use std::io::{self, Read, Write};

use super::{NarEntry, NarError, NarNode};

/// Header bytes that are gathered before they are written.
const GATHERED: usize = 8 << 10;
/// Bytes that are read at once from a file.
const READ: usize = 64 << 10;

/// Writes a NAR as entries come: the root, then every directory's entries in byte order of their names, each
/// directory's own entries directly behind it (the Nix manual, "Nix Archive (NAR) format").
///
/// Memory is bounded by the names of the directories that are open, never by content.
#[derive(Debug)]
pub struct NarWriter<W> {
    out: W,
    gathered: Vec<u8>,
    written: u64,
    /// Name of the last entry of each open directory; empty before the first.
    open: Vec<Vec<u8>>,
    begun: bool,
    file: Option<OpenFile>,
}

#[derive(Debug, Clone, Copy)]
struct OpenFile {
    bytes: u64,
    missing: u64,
    depth: usize,
}

impl<W: Write> NarWriter<W> {
    /// A NAR without its root yet.
    pub fn new(out: W) -> Self {
        let mut writer = Self {
            out,
            gathered: Vec::with_capacity(GATHERED),
            written: 0,
            open: Vec::new(),
            begun: false,
            file: None,
        };
        writer.strings(&[b"nix-archive-1"]);
        writer
    }

    /// Begins the next entry. After a file, [`Self::content`] takes exactly its bytes.
    ///
    /// # Errors
    /// [`NarError`]; the NAR is then of no use.
    pub fn entry(&mut self, entry: &NarEntry<'_>) -> Result<(), NarError> {
        self.end_file()?;
        if entry.depth == 0 {
            if std::mem::replace(&mut self.begun, true) {
                return Err(NarError::Structure);
            }
        } else {
            self.begin_child(entry)?;
        }
        self.strings(&[b"(", b"type"]);
        match entry.node {
            NarNode::Directory => {
                self.strings(&[b"directory"]);
                self.open.push(Vec::new());
            }
            NarNode::Symlink { target } => {
                self.strings(&[b"symlink", b"target", target, b")"]);
                self.end_child(entry.depth);
            }
            NarNode::File { executable, bytes } => {
                self.strings(&[b"regular"]);
                if executable {
                    self.strings(&[b"executable", b""]);
                }
                self.strings(&[b"contents"]);
                self.gathered.extend_from_slice(&bytes.to_le_bytes());
                self.file = Some(OpenFile { bytes, missing: bytes, depth: entry.depth });
            }
        }
        if self.gathered.len() >= GATHERED / 2 { self.flush_gathered() } else { Ok(()) }
    }

    /// The next bytes of the file that was begun last.
    ///
    /// # Errors
    /// [`NarError::Content`] where they are more than it has, [`NarError::Write`].
    pub fn content(&mut self, bytes: &[u8]) -> Result<(), NarError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let file = self.file.as_mut().ok_or(NarError::Content)?;
        file.missing = file.missing.checked_sub(bytes.len() as u64).ok_or(NarError::Content)?;
        if bytes.len() < GATHERED / 2 {
            self.gathered.extend_from_slice(bytes);
            if self.gathered.len() >= GATHERED / 2 { self.flush_gathered() } else { Ok(()) }
        } else {
            self.flush_gathered()?;
            self.write(bytes)
        }
    }

    /// All bytes of the file that was begun last, from a reader; what the reader has beyond them is left in it.
    ///
    /// # Errors
    /// [`NarError::Content`] where the reader ends too early, [`NarError::Read`], [`NarError::Write`].
    pub fn content_from(&mut self, reader: &mut dyn Read) -> Result<(), NarError> {
        let mut buffer = vec![0; READ];
        loop {
            let missing = self.file.ok_or(NarError::Content)?.missing;
            let wanted = missing.min(READ as u64) as usize;
            let Some(place) = buffer.get_mut(..wanted).filter(|place| !place.is_empty()) else {
                return Ok(());
            };
            match reader.read(place) {
                Ok(0) => return Err(NarError::Content),
                Ok(length) => self.content(place.get(..length).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(NarError::Read(error)),
            }
        }
    }

    /// Ends the NAR; gives back where it went and its NAR size, bytes.
    ///
    /// # Errors
    /// [`NarError`].
    pub fn finish(mut self) -> Result<(W, u64), NarError> {
        self.end_file()?;
        if !self.begun {
            return Err(NarError::Structure);
        }
        self.close_directories(0);
        self.flush_gathered()?;
        self.out.flush().map_err(NarError::Write)?;
        Ok((self.out, self.written))
    }

    fn begin_child(&mut self, entry: &NarEntry<'_>) -> Result<(), NarError> {
        let name = entry.name;
        if name.is_empty() || matches!(name, b"." | b"..") || name.iter().any(|byte| matches!(byte, b'/' | 0)) {
            return Err(NarError::Name);
        }
        if entry.depth > self.open.len() {
            return Err(NarError::Structure);
        }
        self.close_directories(entry.depth);
        let last = self.open.last_mut().ok_or(NarError::Structure)?;
        if last.as_slice() >= name {
            return Err(NarError::Order);
        }
        last.clear();
        last.extend_from_slice(name);
        self.strings(&[b"entry", b"(", b"name", name, b"node"]);
        Ok(())
    }

    /// Closes open directories until `depth` of them are left.
    fn close_directories(&mut self, depth: usize) {
        while self.open.len() > depth {
            self.open.pop();
            self.strings(&[b")"]);
            self.end_child(self.open.len());
        }
    }

    fn end_child(&mut self, depth: usize) {
        if depth > 0 {
            self.strings(&[b")"]);
        }
    }

    fn end_file(&mut self) -> Result<(), NarError> {
        if let Some(file) = self.file.take() {
            if file.missing > 0 {
                return Err(NarError::Content);
            }
            self.pad(file.bytes);
            self.strings(&[b")"]);
            self.end_child(file.depth);
        }
        Ok(())
    }

    fn strings(&mut self, strings: &[&[u8]]) {
        for string in strings {
            let length = string.len() as u64;
            self.gathered.extend_from_slice(&length.to_le_bytes());
            self.gathered.extend_from_slice(string);
            self.pad(length);
        }
    }

    fn pad(&mut self, length: u64) {
        let padding = (8 - length % 8) % 8;
        self.gathered.extend(std::iter::repeat_n(0, padding as usize));
    }

    fn flush_gathered(&mut self) -> Result<(), NarError> {
        let gathered = std::mem::take(&mut self.gathered);
        self.write(&gathered)?;
        self.gathered = gathered;
        self.gathered.clear();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), NarError> {
        self.written = self.written.saturating_add(bytes.len() as u64);
        self.out.write_all(bytes).map_err(NarError::Write)
    }
}
