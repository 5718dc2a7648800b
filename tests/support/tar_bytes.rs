//! tar streams, header by header.

/// One entry, every field of its header free to choose.
#[derive(Clone, Debug)]
pub struct Entry {
    name: Vec<u8>,
    link: Vec<u8>,
    type_flag: u8,
    mode: u32,
    owner: (u32, u32),
    mtime: i64,
    content: Vec<u8>,
    length_field: Option<[u8; 12]>,
    device: (u32, u32),
    magic: [u8; 8],
}

impl Entry {
    /// An empty entry of any type flag.
    pub fn of(type_flag: u8, name: impl AsRef<[u8]>) -> Self {
        Self {
            name: name.as_ref().to_vec(),
            link: Vec::new(),
            type_flag,
            mode: 0o644,
            owner: (0, 0),
            mtime: 1_700_000_000,
            content: Vec::new(),
            length_field: None,
            device: (0, 0),
            magic: *b"ustar\x0000",
        }
    }

    pub fn file(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        Self { content: content.as_ref().to_vec(), ..Self::of(b'0', name) }
    }

    pub fn directory(name: impl AsRef<[u8]>) -> Self {
        Self { mode: 0o755, ..Self::of(b'5', name) }
    }

    pub fn symlink(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self { link: target.as_ref().to_vec(), mode: 0o777, ..Self::of(b'2', name) }
    }

    pub fn hard_link(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self { link: target.as_ref().to_vec(), ..Self::of(b'1', name) }
    }

    pub fn device(type_flag: u8, name: &str, major: u32, minor: u32) -> Self {
        Self { device: (major, minor), ..Self::of(type_flag, name) }
    }

    /// Its name as it was given.
    pub fn path(&self) -> &[u8] {
        &self.name
    }

    pub fn mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    pub fn owner(self, uid: u32, gid: u32) -> Self {
        Self { owner: (uid, gid), ..self }
    }

    pub fn mtime(self, mtime: i64) -> Self {
        Self { mtime, ..self }
    }

    /// The field that gives the length of the content, byte for byte.
    pub fn length_field(self, field: [u8; 12]) -> Self {
        Self { length_field: Some(field), ..self }
    }

    /// The header in the dialect of GNU tar.
    pub fn gnu(self) -> Self {
        Self { magic: *b"ustar  \0", ..self }
    }

    fn header(&self) -> [u8; 512] {
        let mut block = [0u8; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &self.name[..self.name.len().min(100)]);
        put(100, format!("{:07o}\0", self.mode).as_bytes());
        put(108, &number(u64::from(self.owner.0).cast_signed()));
        put(116, &number(u64::from(self.owner.1).cast_signed()));
        let length = u64::try_from(self.content.len()).unwrap().cast_signed();
        put(124, &self.length_field.unwrap_or_else(|| wide_number(length)));
        put(136, &wide_number(self.mtime));
        put(148, b"        ");
        put(156, &[self.type_flag]);
        put(157, &self.link[..self.link.len().min(100)]);
        put(257, &self.magic);
        put(329, format!("{:07o}\0", self.device.0).as_bytes());
        put(337, format!("{:07o}\0", self.device.1).as_bytes());
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, link) = (self.name.escape_ascii(), self.link.escape_ascii());
        write!(formatter, "{} {name} {link}", char::from(self.type_flag))
    }
}

/// Octal where it fits, else base 256.
fn number(value: i64) -> [u8; 8] {
    let text = format!("{value:07o}\0");
    if value >= 0 && text.len() == 8 {
        return text.as_bytes().try_into().unwrap();
    }
    let mut field = value.to_be_bytes();
    field[0] = if value < 0 { 0xff } else { 0x80 };
    field
}

/// Octal where it fits, else base 256.
pub fn wide_number(value: i64) -> [u8; 12] {
    let text = format!("{value:011o}\0");
    if value >= 0 && text.len() == 12 {
        return text.as_bytes().try_into().unwrap();
    }
    let mut field = [if value < 0 { 0xff } else { 0 }; 12];
    field[4..].copy_from_slice(&value.to_be_bytes());
    field[0] |= 0x80;
    field
}

/// A tar stream under construction.
#[derive(Default, Clone)]
pub struct Tar {
    bytes: Vec<u8>,
}

impl Tar {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn add(mut self, entry: Entry) -> Self {
        self.bytes.extend(entry.header());
        self.bytes.extend(&entry.content);
        self.pad()
    }

    pub fn file(self, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        self.add(Entry::file(name, content))
    }

    pub fn directory(self, name: impl AsRef<[u8]>) -> Self {
        self.add(Entry::directory(name))
    }

    pub fn symlink(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.add(Entry::symlink(name, target))
    }

    pub fn hard_link(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.add(Entry::hard_link(name, target))
    }

    /// An extended header for the next entry.
    pub fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let content: Vec<u8> = records.iter().flat_map(|(key, value)| record(key, value)).collect();
        self.add(Entry { content, ..Entry::of(b'x', "PaxHeaders/next") })
    }

    /// GNU tar's header for a long name (`L`) or link target (`K`) of the next entry.
    pub fn gnu_long(self, type_flag: u8, name: impl AsRef<[u8]>) -> Self {
        let mut content = name.as_ref().to_vec();
        content.push(0);
        self.add(Entry { content, ..Entry::of(type_flag, "././@LongLink").gnu() })
    }

    /// Bytes as they are.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }

    fn pad(mut self) -> Self {
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    /// Without the two blocks of zeros.
    pub fn unfinished(self) -> Vec<u8> {
        self.bytes
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.extend([0; 1024]);
        self.bytes
    }
}

/// `"%d %s=%s\n"`, where the number counts the whole record.
pub fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let body = key.len() + value.len() + 3;
    let mut length = body + body.to_string().len();
    length = body + length.to_string().len();
    let mut record = format!("{length} {key}=").into_bytes();
    record.extend(value);
    record.push(b'\n');
    record
}

/// An archive of some members.
pub fn archive(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    members.iter().fold(Tar::new(), |tar, (name, content)| tar.file(name, content)).finish()
}
