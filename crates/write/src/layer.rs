//! Layers as tar streams. All headers, and so the length of the stream, are known before any content is read.

use std::cmp::Ordering;

use hashbrown::HashSet;

use super::{TarForm, WriteError, WriteProgress};
use crate::{BaseLayer, Body, Composition, Entry, FileContent, Metadata, ReadContent};
use nixdive_base::text::display_in_sentence;
use nixdive_image::Xattrs;
use nixdive_nix::StorePath;
use nixdive_source::store::{Owner, TAR_BLOCK, TarHeader};

/// Bytes passed on at a time.
const PIECE_BYTES: usize = 256 << 10;
/// Length of the zeros at the end of a stream: two blocks (POSIX.1-2017, pax, "ustar Interchange Format").
const END_BYTES: usize = 2 * TAR_BLOCK;
/// Maximum length of a file, bytes. Block counts cannot overflow up to this length.
const MAX_FILE_BYTES: u64 = 1 << 62;

/// Layer to be written.
pub(super) struct PlannedLayer<'a> {
    pub source: LayerSource<'a>,
    /// Store paths in the layer, sorted by name.
    pub store_paths: Vec<&'a StorePath>,
    /// Length of the stream, bytes.
    pub unpacked_bytes: u64,
}

/// Source of the stream of a layer.
pub(super) enum LayerSource<'a> {
    /// Layer of the base.
    Base { place: usize, layer: &'a BaseLayer },
    /// Entries in the order of the stream.
    Entries { items: Vec<Item<'a>>, headers: Headers },
}

/// Entry of a stream.
pub(super) enum Item<'a> {
    /// Directory that the composition omits; empty for the root.
    Above(&'a [u8]),
    Entry(&'a Entry),
}

impl<'a> Item<'a> {
    pub fn path(&self) -> &'a [u8] {
        match self {
            Self::Above(path) => path,
            Self::Entry(entry) => &entry.path,
        }
    }

    pub fn content(&self) -> Option<&'a FileContent> {
        match self {
            Self::Entry(Entry { body: Body::File(content), .. }) => Some(content),
            _ => None,
        }
    }
}

/// Parameters of the headers.
#[derive(Clone, Copy)]
pub(super) struct Headers {
    pub form: TarForm,
    /// Modification time, seconds since 1970.
    pub mtime: u64,
}

impl Headers {
    pub fn of(&self, item: &Item<'_>) -> Vec<u8> {
        const ABOVE: &Metadata = &Metadata { mode: 0o755, uid: 0, gid: 0, xattrs: Xattrs::new() };
        let (metadata, body) = match item {
            Item::Above(_) => (ABOVE, &Body::Directory),
            Item::Entry(entry) => (&entry.metadata, &entry.body),
        };
        let (type_flag, mode, link, file_bytes) = match body {
            Body::Directory => (b'5', metadata.mode, &b""[..], 0),
            Body::Symlink(target) => (b'2', 0o777, &**target, 0),
            Body::File(content) => (b'0', metadata.mode, &b""[..], content.bytes),
        };
        let name_of = |id: u32| if id == 0 { "root".to_owned() } else { String::new() };
        let (uid, gid) = (metadata.uid, metadata.gid);
        let owner = Owner { uid, gid, user: name_of(uid), group: name_of(gid) };
        let name = match (self.form, body) {
            (TarForm::Relative, _) if item.path().is_empty() => b"./".to_vec(),
            (TarForm::Relative, Body::Directory) => [item.path(), b"/"].concat(),
            (TarForm::Relative, _) => item.path().to_vec(),
            (TarForm::Nix2container, _) => [b"/", item.path()].concat(),
        };
        let header = TarHeader {
            name: &name,
            type_flag,
            mode: u32::from(mode & 0o7777),
            owner: &owner,
            file_bytes,
            mtime: self.mtime,
            link,
            xattrs: &metadata.xattrs,
        };
        header.write()
    }
}

/// Plans the layers of an image: those of its base, those in `layers` (positions of store paths), and one for the files
/// outside the store.
pub(super) fn plan<'a>(
    composition: &'a Composition,
    layers: &[Vec<u32>],
    headers: Headers,
) -> Result<Vec<PlannedLayer<'a>>, WriteError> {
    let mut planned: Vec<PlannedLayer<'a>> = Vec::new();
    for (place, layer) in composition.base.iter().enumerate() {
        let source = LayerSource::Base { place, layer };
        planned.push(PlannedLayer { source, store_paths: Vec::new(), unpacked_bytes: layer.unpacked_bytes });
    }
    let mut placed = vec![false; composition.store_paths.len()];
    for layer in layers {
        let mut places = layer.clone();
        places.sort_unstable();
        let mut store_paths = Vec::with_capacity(places.len());
        let mut entries = Vec::new();
        for place in places {
            let known = composition.store_paths.get(place as usize).zip(placed.get_mut(place as usize));
            let Some((store_path, placed)) = known.filter(|(_, placed)| !**placed) else {
                return Err(WriteError::Composition(format!(
                    "store path {place} does not exist or is assigned to two layers"
                )));
            };
            *placed = true;
            let top = store_path.path.to_string();
            let top = top.trim_start_matches('/').as_bytes();
            let is_inside = |entry: &Entry| {
                entry.path.strip_prefix(top).is_some_and(|below| below.is_empty() || below.starts_with(b"/"))
            };
            if let Some(stray) = store_path.entries.iter().find(|entry| !is_inside(entry)) {
                return Err(wrong(&stray.path, &format!("is not below {}", store_path.path)));
            }
            store_paths.push(&store_path.path);
            entries.extend(&store_path.entries);
        }
        store_paths.sort_unstable();
        planned.push(of_entries(entries, store_paths, headers)?);
    }
    if let Some(missing) = placed.iter().position(|placed| !placed).and_then(|place| composition.store_paths.get(place))
    {
        return Err(WriteError::Composition(format!("{} is not assigned to a layer", missing.path)));
    }
    if !composition.outside.is_empty() {
        check_apart(composition)?;
        planned.push(of_entries(composition.outside.iter().collect(), Vec::new(), headers)?);
    }
    Ok(planned)
}

/// Rejects entries outside the store that conflict with it.
fn check_apart(composition: &Composition) -> Result<(), WriteError> {
    let tops: HashSet<String> = composition.store_paths.iter().map(|store_path| store_path.path.to_string()).collect();
    for entry in composition.outside.iter().filter(|_| !tops.is_empty()) {
        let is_store = matches!(&*entry.path, b"nix" | b"nix/store");
        if is_store && !matches!(entry.body, Body::Directory) {
            return Err(wrong(&entry.path, "must be a directory, as it contains store paths"));
        }
        let Some(below) = entry.path.strip_prefix(b"nix/store/") else { continue };
        let name = below.split(|&byte| byte == b'/').next().unwrap_or_default();
        if std::str::from_utf8(name).is_ok_and(|name| tops.contains(&format!("/nix/store/{name}"))) {
            return Err(wrong(&entry.path, "is a duplicate path"));
        }
    }
    Ok(())
}

fn of_entries<'a>(
    mut entries: Vec<&'a Entry>,
    store_paths: Vec<&'a StorePath>,
    headers: Headers,
) -> Result<PlannedLayer<'a>, WriteError> {
    entries.sort_by(|one, other| by_parts(&one.path, &other.path));
    let items = with_directories_above(&entries, headers.form)?;
    let mut unpacked_bytes = END_BYTES as u64;
    for item in &items {
        let content = item.content().map_or(0, |content| content.bytes);
        if content > MAX_FILE_BYTES {
            return Err(wrong(item.path(), "is too large for a file in an archive"));
        }
        let content = content.next_multiple_of(TAR_BLOCK as u64);
        unpacked_bytes = unpacked_bytes.saturating_add(headers.of(item).len() as u64).saturating_add(content);
    }
    Ok(PlannedLayer { source: LayerSource::Entries { items, headers }, store_paths, unpacked_bytes })
}

/// Returns the sorted entries together with the parent directories that they omit.
fn with_directories_above<'a>(entries: &[&'a Entry], form: TarForm) -> Result<Vec<Item<'a>>, WriteError> {
    let mut items: Vec<Item<'a>> = Vec::with_capacity(entries.len() + 4);
    let has_root = entries.first().is_some_and(|entry| entry.path.is_empty());
    if form == TarForm::Nix2container && !has_root && !entries.is_empty() {
        items.push(Item::Above(b""));
    }
    // Directories on the path to the entry before, from the top.
    let mut open: Vec<&'a [u8]> = Vec::new();
    for &entry in entries {
        check(entry)?;
        let path: &'a [u8] = &entry.path;
        while open.last().is_some_and(|directory| !lies_in(path, directory)) {
            open.pop();
        }
        let from = open.last().map_or(0, |directory| directory.len() + 1);
        let slashes = memchr::memchr_iter(b'/', path.get(from..).unwrap_or_default());
        for slash in slashes {
            let above = path.get(..from + slash).unwrap_or_default();
            // Entries below a path follow it immediately.
            if items.last().is_some_and(|before| !above.is_empty() && before.path() == above) {
                return Err(wrong(above, &format!("must be a directory, as it contains `/{}`", display(path))));
            }
            items.push(Item::Above(above));
            open.push(above);
        }
        if let Some(before) = items.last().filter(|before| !path.is_empty() && before.path() == path) {
            return Err(wrong(before.path(), "is a duplicate path"));
        }
        if matches!(entry.body, Body::Directory) && !path.is_empty() {
            open.push(path);
        }
        items.push(Item::Entry(entry));
    }
    Ok(items)
}

fn lies_in(path: &[u8], directory: &[u8]) -> bool {
    path.strip_prefix(directory).is_some_and(|below| below.starts_with(b"/"))
}

fn check(entry: &Entry) -> Result<(), WriteError> {
    let path = &entry.path;
    let good_part = |part: &[u8]| !part.is_empty() && part != b"." && part != b".." && !part.contains(&0);
    if path.is_empty() && !matches!(entry.body, Body::Directory) {
        return Err(wrong(path, "is the root and must be a directory"));
    }
    if !path.is_empty() && !path.split(|&byte| byte == b'/').all(good_part) {
        return Err(wrong(path, "is not a valid path"));
    }
    if path.split(|&byte| byte == b'/').next_back().is_some_and(|name| name.starts_with(b".wh.")) {
        return Err(wrong(path, "is a reserved name: images mark removed files with it"));
    }
    if matches!(&entry.body, Body::Symlink(target) if target.is_empty() || target.contains(&0)) {
        return Err(wrong(path, "is a link with an invalid target"));
    }
    let bad_name = |name: &[u8]| name.is_empty() || name.contains(&b'=') || name.contains(&0);
    if entry.metadata.xattrs.iter().any(|xattr| bad_name(&xattr.name)) {
        return Err(wrong(path, "has an extended attribute with a name that archives cannot store"));
    }
    Ok(())
}

fn wrong(path: &[u8], what: &str) -> WriteError {
    WriteError::Composition(format!("`/{}` {what}", display(path)))
}

fn display(path: &[u8]) -> String {
    display_in_sentence(&String::from_utf8_lossy(path))
}

/// Compares paths by their components: a slash sorts before any other byte.
pub(super) fn by_parts(one: &[u8], other: &[u8]) -> Ordering {
    let common = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    match (one.get(common), other.get(common)) {
        (Some(b'/'), Some(_)) => Ordering::Less,
        (Some(_), Some(b'/')) => Ordering::Greater,
        _ => one.cmp(other),
    }
}

impl PlannedLayer<'_> {
    /// Reads the layer and passes it to `take` in pieces, in order.
    pub fn stream(
        &self,
        content: &dyn ReadContent,
        progress: &WriteProgress,
        take: &mut dyn FnMut(&[u8]) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        let mut pieces = Pieces { buffer: vec![0; PIECE_BYTES], filled: 0, progress, take };
        match &self.source {
            LayerSource::Base { place, .. } => pieces.base(content, *place, self.unpacked_bytes)?,
            LayerSource::Entries { items, headers } => {
                for item in items {
                    pieces.add(&headers.of(item))?;
                    if let Some(file) = item.content() {
                        pieces.file(content, file, item.path())?;
                    }
                }
                pieces.add(&[0; END_BYTES])?;
            }
        }
        pieces.hand_on()
    }
}

/// Buffer that collects small pieces and passes them on in large ones.
struct Pieces<'a> {
    buffer: Vec<u8>,
    filled: usize,
    progress: &'a WriteProgress,
    take: &'a mut dyn FnMut(&[u8]) -> Result<(), WriteError>,
}

impl Pieces<'_> {
    fn hand_on(&mut self) -> Result<(), WriteError> {
        self.progress.check()?;
        (self.take)(self.buffer.get(..self.filled).unwrap_or_default())?;
        self.filled = 0;
        Ok(())
    }

    /// Returns the free part of the buffer, which is never full.
    fn room(&mut self, most: u64) -> Result<&mut [u8], WriteError> {
        if self.filled >= self.buffer.len() {
            self.hand_on()?;
        }
        let free = self.buffer.get_mut(self.filled..).unwrap_or_default();
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(free.len());
        Ok(free.get_mut(..most).unwrap_or_default())
    }

    fn add(&mut self, mut bytes: &[u8]) -> Result<(), WriteError> {
        while !bytes.is_empty() {
            let room = self.room(bytes.len() as u64)?;
            let (now, later) = bytes.split_at(room.len());
            room.copy_from_slice(now);
            self.filled += now.len();
            bytes = later;
        }
        Ok(())
    }

    fn file(&mut self, content: &dyn ReadContent, file: &FileContent, path: &[u8]) -> Result<(), WriteError> {
        let failed = |error| WriteError::content(path, error);
        let mut left = file.bytes;
        if left > 0 {
            let mut reader = content.read(&file.content).map_err(failed)?;
            while left > 0 {
                let count = read(&mut *reader, self.room(left)?).map_err(failed)?;
                if count == 0 {
                    return Err(failed(ended()));
                }
                self.filled += count;
                left -= count as u64;
            }
            if read(&mut *reader, &mut [0]).map_err(failed)? != 0 {
                return Err(failed(std::io::Error::other("it grew while it was read")));
            }
        }
        let padding = file.bytes.next_multiple_of(TAR_BLOCK as u64) - file.bytes;
        self.add([0; TAR_BLOCK].get(..padding as usize).unwrap_or_default())
    }

    fn base(&mut self, content: &dyn ReadContent, place: usize, bytes: u64) -> Result<(), WriteError> {
        let failed = |error| WriteError::Base { place, error };
        let mut reader = content.read_base_layer(place).map_err(failed)?;
        let mut left = bytes;
        while left > 0 {
            let count = read(&mut *reader, self.room(left)?).map_err(failed)?;
            if count == 0 {
                return Err(failed(ended()));
            }
            self.filled += count;
            left -= count as u64;
        }
        Ok(())
    }
}

fn ended() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "unexpected end of file")
}

fn read(reader: &mut dyn std::io::Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
