use std::io;
use std::sync::Arc;

use super::header::{BLOCK, Header};
use super::input::TarInput;
use super::pax::Extended;
use super::sparse::SparseMap;
use nixdive_image::{EntryFields, Kind};

/// Bytes that one extended header may have; Go's reader stops at the same.
const MAX_EXTENDED_BYTES: u64 = 1 << 20;
/// Bytes that one name may have.
const MAX_NAME_BYTES: u64 = 64 << 10;

/// Why a tar stream cannot be read on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TarError {
    /// The bytes at an offset are not a header.
    #[error("no tar header at offset {0}")]
    NotAHeader(u64),
    /// The stream ends within something.
    #[error("ends at offset {0}, within an entry: it was cut off")]
    Truncated(u64),
    /// A header's number of bytes is none.
    #[error("the header at offset {0} has no valid size")]
    BadLength(u64),
    /// An extended header or a name longer than any real one.
    #[error("the header at offset {offset} has {length} bytes of names and attributes; more than {most} are refused")]
    Extended {
        /// Offset of the header in the unpacked stream, bytes.
        offset: u64,
        /// Length that it declares, bytes.
        length: u64,
        /// Maximum length, bytes.
        most: u64,
    },
    /// More names and attributes than there is room for in memory.
    #[error(
        "the limit for names and attributes of all layers is reached at offset {0}; raise --name-limit if this is intended"
    )]
    Crowded(u64),
    /// The source failed.
    #[error("{error} (at offset {offset} of what it unpacks to)")]
    Source {
        /// Offset in the unpacked stream, bytes.
        offset: u64,
        /// Error of the source.
        error: Arc<io::Error>,
    },
}

impl TarError {
    /// The error of a source that failed at `offset` of what it unpacks to.
    #[must_use]
    pub fn source(offset: u64, error: io::Error) -> Self {
        Self::Source { offset, error: Arc::new(error) }
    }
}

/// One entry of a tar stream.
#[derive(Debug)]
pub struct Member {
    /// Its name as written, extended headers and long names applied.
    pub path: Vec<u8>,
    /// Target of a link, as written.
    pub link: Vec<u8>,
    /// All else, with the offset of its content in the stream.
    pub fields: EntryFields,
    /// Bytes of content in the stream; of a sparse file less than its unpacked size.
    pub stored_bytes: u64,
    /// Offset of its header in the stream, not counting extended headers, bytes.
    pub header_offset: u64,
}

impl Default for Member {
    fn default() -> Self {
        Self {
            path: Vec::new(),
            link: Vec::new(),
            fields: EntryFields::new(Kind::File),
            stored_bytes: 0,
            header_offset: 0,
        }
    }
}

/// Goes through a tar stream entry by entry.
pub struct TarWalker<I> {
    input: I,
    member: Member,
    /// Content and padding of the current entry that have not been passed yet.
    content_left: u64,
    padding: u64,
    long_path: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    extended: Extended,
    /// Things that were odd and did not stop the reading, as sentences; at most a few.
    oddities: Vec<String>,
}

/// Oddities kept of one stream: an archive can be made of nothing else.
const MAX_ODDITIES: usize = 8;

impl<I: TarInput> TarWalker<I> {
    /// Begins at the position of `input`.
    pub fn new(input: I) -> Self {
        Self {
            input,
            member: Member::default(),
            content_left: 0,
            padding: 0,
            long_path: None,
            long_link: None,
            extended: Extended::default(),
            oddities: Vec::new(),
        }
    }

    /// The current entry.
    pub fn member(&self) -> &Member {
        &self.member
    }

    /// The current entry, to take its buffers out.
    pub fn member_mut(&mut self) -> &mut Member {
        &mut self.member
    }

    /// Returns the oddities found so far and clears them.
    pub fn take_oddities(&mut self) -> Vec<String> {
        std::mem::take(&mut self.oddities)
    }

    /// The input, behind the last entry that was read.
    pub fn into_input(self) -> I {
        self.input
    }

    /// The input.
    pub fn input_mut(&mut self) -> &mut I {
        &mut self.input
    }

    /// Goes to the next entry, passing over what is left of the current one; `false` at the end of the archive.
    ///
    /// # Errors
    /// [`TarError`]. Entries before it were right.
    pub fn advance(&mut self) -> Result<bool, TarError> {
        self.finish_entry()?;
        self.extended = Extended::default();
        loop {
            let offset = self.input.position();
            let mut block = [0u8; BLOCK];
            let count = self.take(&mut block)?;
            if count == 0 || (count < BLOCK && block[..count].iter().all(|&byte| byte == 0)) {
                return Ok(false);
            }
            if count < BLOCK {
                // What is shorter than one header was never an archive.
                let whole = self.input.position();
                return Err(if offset == 0 { TarError::NotAHeader(0) } else { TarError::Truncated(whole) });
            }
            if block[0] == 0 && block.iter().all(|&byte| byte == 0) {
                return self.end_or_gap(offset).map(|()| false);
            }
            let header = Header::parse(&block).ok_or(TarError::NotAHeader(offset))?;
            if self.entry(&header, offset)? {
                return Ok(true);
            }
        }
    }

    /// Shows the rest of the current entry's content to `visit`.
    ///
    /// # Errors
    /// [`TarError::Truncated`] and [`TarError::Source`].
    pub fn visit_content(&mut self, visit: &mut dyn FnMut(&[u8])) -> Result<(), TarError> {
        let length = self.content_left;
        self.content_left = 0;
        let offset = self.input.position();
        let passed = self.input.visit(length, visit).map_err(|error| TarError::source(offset, error))?;
        if passed < length {
            return Err(TarError::Truncated(self.input.position()));
        }
        Ok(())
    }

    /// The rest of the current entry's content, which must not be longer than `most` bytes.
    ///
    /// # Errors
    /// [`TarError::Extended`] when it is longer, [`TarError::Truncated`] and [`TarError::Source`].
    pub fn read_content(&mut self, most: u64) -> Result<Vec<u8>, TarError> {
        let length = self.content_left;
        if length > most {
            return Err(TarError::Extended { offset: self.member.header_offset, length, most });
        }
        let mut content = Vec::new();
        self.visit_content(&mut |piece| content.extend_from_slice(piece))?;
        Ok(content)
    }

    /// Hands the input out at the current entry's content, of which it gives the length in bytes. Whoever takes it says
    /// afterwards with [`Self::resume_before`] where the content ends.
    pub fn take_content(&mut self) -> (&mut I, u64) {
        let length = std::mem::take(&mut self.content_left);
        (&mut self.input, length)
    }

    /// Goes on after [`Self::take_content`]: the content ends at `end` of the stream, and what is left is passed over.
    pub fn resume_before(&mut self, end: u64) {
        self.content_left = end.saturating_sub(self.input.position());
    }

    /// Returns `true` if content is read in any case.
    pub fn content_comes_by(&self) -> bool {
        self.input.content_comes_by()
    }

    fn take(&mut self, buffer: &mut [u8]) -> Result<usize, TarError> {
        let offset = self.input.position();
        self.input.take(buffer).map_err(|error| TarError::source(offset, error))
    }

    fn skip(&mut self, length: u64) -> Result<(), TarError> {
        if length == 0 {
            return Ok(());
        }
        let offset = self.input.position();
        let passed = self.input.skip(length).map_err(|error| TarError::source(offset, error))?;
        if passed < length { Err(TarError::Truncated(self.input.position())) } else { Ok(()) }
    }

    fn finish_entry(&mut self) -> Result<(), TarError> {
        let left = std::mem::take(&mut self.content_left);
        self.skip(left)?;
        let padding = std::mem::take(&mut self.padding);
        let offset = self.input.position();
        // The padding of the last entry may be missing: some writers leave it out, and nothing is lost.
        self.input.skip(padding).map_err(|error| TarError::source(offset, error))?;
        Ok(())
    }

    /// Behind one block of zeros: the end where another one follows, or nothing.
    fn end_or_gap(&mut self, offset: u64) -> Result<(), TarError> {
        let mut block = [0u8; BLOCK];
        let count = self.take(&mut block)?;
        if block[..count].iter().any(|&byte| byte != 0) {
            self.note(format!("a lone block of zeros at offset {offset} ends it; what follows is not read"));
        }
        Ok(())
    }

    fn note(&mut self, oddity: String) {
        if self.oddities.len() < MAX_ODDITIES && !self.oddities.contains(&oddity) {
            self.oddities.push(oddity);
        }
    }

    /// Reads one header; `false` where it only says something of the next one.
    fn entry(&mut self, header: &Header<'_>, offset: u64) -> Result<bool, TarError> {
        let length = header.content_bytes().ok_or(TarError::BadLength(offset));
        match header.type_flag() {
            b'x' => {
                let data = self.extension(offset, length?, MAX_EXTENDED_BYTES)?;
                // Of several in a row the last alone counts, as for Go's reader.
                self.extended = Extended::default();
                if !self.extended.read(&data) {
                    self.note(format!(
                        "the extended header at offset {offset} is malformed; its readable part is used"
                    ));
                }
                Ok(false)
            }
            // A volume's label, and a global header: Docker and containerd leave both out, so the
            // fields of a global header are not attributes of the entries after it.
            b'V' | b'g' => {
                // Go's reader gives both out as entries: what stood before them is theirs.
                self.extended = Extended::default();
                (self.long_path, self.long_link) = (None, None);
                self.content_left = length?;
                self.padding = padding(self.content_left);
                self.finish_entry()?;
                Ok(false)
            }
            b'L' => {
                self.long_path = self.long_name(offset, length?)?;
                Ok(false)
            }
            b'K' => {
                self.long_link = self.long_name(offset, length?)?;
                Ok(false)
            }
            _ => self.real_entry(header, offset).map(|()| true),
        }
    }

    fn extension(&mut self, offset: u64, length: u64, most: u64) -> Result<Vec<u8>, TarError> {
        if length > most {
            return Err(TarError::Extended { offset, length, most });
        }
        let mut data = vec![0; length as usize];
        let count = self.take(&mut data)?;
        if count < data.len() {
            return Err(TarError::Truncated(self.input.position()));
        }
        self.skip(padding(length))?;
        Ok(data)
    }

    /// `None` for an empty one: the name beside it counts.
    fn long_name(&mut self, offset: u64, length: u64) -> Result<Option<Vec<u8>>, TarError> {
        let mut name = self.extension(offset, length, MAX_NAME_BYTES + 1)?;
        name.truncate(super::header::until_nul(&name).len());
        Ok(Some(name).filter(|name| !name.is_empty()))
    }

    fn real_entry(&mut self, header: &Header<'_>, offset: u64) -> Result<(), TarError> {
        let extended = std::mem::take(&mut self.extended);
        if extended.has_bad_length {
            return Err(TarError::BadLength(offset));
        }
        let mut path = std::mem::take(&mut self.member.path);
        path.clear();
        match self.long_path.take().or(extended.path) {
            Some(name) => path.extend_from_slice(&name),
            None => header.append_path(&mut path),
        }
        let kind = kind(header.type_flag(), &path);
        let sparse = extended.sparse.and_then(|sparse| Some((sparse.map()?, sparse)));
        // A sparse file's own name stands apart: the others are made up for readers who do not know of it.
        if let Some(name) = sparse.as_ref().and_then(|(_, sparse)| sparse.name.as_deref()) {
            path.clear();
            path.extend_from_slice(super::header::until_nul(name));
        }
        let mut link = std::mem::take(&mut self.member.link);
        link.clear();
        match self.long_link.take().or(extended.link) {
            Some(name) => link.extend_from_slice(&name),
            None => link.extend_from_slice(header.link()),
        }
        let longest = path.len().max(link.len()) as u64;
        if longest > MAX_NAME_BYTES {
            return Err(TarError::Extended { offset, length: longest, most: MAX_NAME_BYTES });
        }
        if !matches!(kind, Kind::Symlink | Kind::HardLink) {
            link.clear();
        }
        let stated = match extended.content_bytes {
            Some(bytes) => bytes,
            None => header.content_bytes().ok_or(TarError::BadLength(offset))?,
        };
        let mut fields = EntryFields::new(kind);
        fields.mode = header.mode();
        fields.type_flag = header.type_flag();
        fields.uid = extended.uid.unwrap_or_else(|| header.uid());
        fields.gid = extended.gid.unwrap_or_else(|| header.gid());
        fields.mtime = extended.mtime.unwrap_or_else(|| header.mtime());
        fields.bytes = stated;
        fields.xattrs = extended.xattrs.into();
        if matches!(kind, Kind::CharacterDevice | Kind::BlockDevice) {
            fields.device = header.device();
        }
        // Links, directories and devices have no content, whatever their headers give as length (Go and GNU tar agree).
        let stored_bytes = if kind == Kind::File || header.type_flag() == b'D' { stated } else { 0 };
        self.member = Member { path, link, fields, stored_bytes, header_offset: offset };
        self.content_left = stored_bytes;
        self.padding = padding(stored_bytes);
        let map = match sparse {
            _ if header.type_flag() == b'S' => Some(SparseMap::of_header(header, &mut || self.block().map(Some))?),
            Some((map, sparse)) => Some(SparseMap::of_pax(map, sparse.real_bytes(), &mut || self.content_block())?),
            None => None,
        };
        if let Some(map) = map {
            self.apply_sparse(map, offset);
        }
        self.member.fields.offset = self.input.position();
        Ok(())
    }

    /// Makes the current entry a sparse file. Where the map describes none, what is stored is taken as it is.
    fn apply_sparse(&mut self, map: SparseMap, offset: u64) {
        let stored = self.content_left;
        let Some((segments, bytes)) = map.fitting(stored) else {
            self.member.fields.bytes = stored;
            self.note(format!(
                "the map of the sparse file at offset {offset} is invalid; its stored bytes are shown as they are"
            ));
            return;
        };
        self.member.fields.bytes = bytes;
        self.member.fields.sparse = Some(segments);
    }

    fn block(&mut self) -> Result<[u8; BLOCK], TarError> {
        let mut block = [0u8; BLOCK];
        if self.take(&mut block)? < BLOCK {
            return Err(TarError::Truncated(self.input.position()));
        }
        Ok(block)
    }

    /// Returns the next block of the current entry's content; `None` if no whole one is left.
    fn content_block(&mut self) -> Result<Option<[u8; BLOCK]>, TarError> {
        let Some(left) = self.content_left.checked_sub(BLOCK as u64) else { return Ok(None) };
        let block = self.block()?;
        self.content_left = left;
        Ok(Some(block))
    }
}

fn padding(length: u64) -> u64 {
    length.wrapping_neg() % BLOCK as u64
}

fn kind(type_flag: u8, path: &[u8]) -> Kind {
    match type_flag {
        b'1' => Kind::HardLink,
        b'2' => Kind::Symlink,
        b'3' => Kind::CharacterDevice,
        b'4' => Kind::BlockDevice,
        b'5' | b'D' => Kind::Directory,
        b'6' => Kind::Fifo,
        // V7 had no directories: a name that ends in a slash is one.
        0 if path.ends_with(b"/") => Kind::Directory,
        // POSIX: an unknown type is treated as a regular file.
        _ => Kind::File,
    }
}
