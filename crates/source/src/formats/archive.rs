use hashbrown::HashMap;

use super::{Container, MAX_DOCUMENT_BYTES, SourceError, describe_section};
use nixdive_base::cancel::Cancel;
use nixdive_image::Kind;
use nixdive_scan::Section;
use nixdive_scan::tar::{BLOCK, SectionInput, TarError, TarWalker, normalize};

/// Maximum number of links followed from one name.
const MAX_LINKS: usize = 40;

/// Checks the members of an archive against the size of real image archives, before all of them are in memory.
#[derive(Debug, Default)]
pub struct MemberLimit {
    members: usize,
    name_bytes: usize,
}

impl MemberLimit {
    /// An archive of 127 layers in Docker's oldest form has about 520.
    const MAX_MEMBERS: usize = 200_000;
    const MAX_NAME_BYTES: usize = 32 << 20;

    /// Counts one more member, with the bytes of its names.
    ///
    /// # Errors
    /// [`SourceError::NotAnImage`] if there are too many.
    pub fn admit(&mut self, name_bytes: usize) -> Result<(), SourceError> {
        self.members += 1;
        self.name_bytes = self.name_bytes.saturating_add(name_bytes);
        let what = if self.members > Self::MAX_MEMBERS {
            format!("more than {} members", Self::MAX_MEMBERS)
        } else if self.name_bytes > Self::MAX_NAME_BYTES {
            format!("members with more than {} bytes of names", Self::MAX_NAME_BYTES)
        } else {
            return Ok(());
        };
        Err(SourceError::NotAnImage(format!("is a tar archive of {what}, too large for an image archive")))
    }
}

#[derive(Debug)]
enum Member {
    File { offset: u64, length: u64 },
    Link(String),
}

/// The members of an uncompressed tar archive, found by reading only its headers.
pub struct ArchiveIndex {
    section: Section,
    members: HashMap<String, Member>,
    /// Reason why the archive could not be read to its end.
    broken: Option<TarError>,
}

impl ArchiveIndex {
    /// Reads the headers of an archive.
    ///
    /// # Errors
    /// If the first bytes are not a tar header, the source cannot be read, or there are more members than in any image
    /// archive. If the archive is truncated later, the members before that are kept.
    pub fn read(section: Section, cancel: &Cancel) -> Result<Self, SourceError> {
        // Two blocks of zeros end an archive, but do not begin one.
        let mut first = [0; BLOCK];
        let count = section.read_full_at(&mut first, 0).map_err(SourceError::Io)?;
        if first.get(..count).is_some_and(|start| start.iter().all(|&byte| byte == 0)) {
            return Err(SourceError::not_a_container_image(&describe_section(&section)));
        }
        let mut walker = TarWalker::new(SectionInput::new(section.clone(), cancel.clone()));
        let mut members = HashMap::new();
        let mut path = Vec::new();
        let mut limit = MemberLimit::default();
        let broken = loop {
            match walker.advance() {
                Ok(true) => {}
                Ok(false) => break None,
                Err(TarError::Source { error, .. }) => {
                    return Err(SourceError::Io(std::io::Error::new(error.kind(), error.to_string())));
                }
                Err(error) => break Some(error),
            }
            let member = walker.member();
            limit.admit(member.path.len() + member.link.len())?;
            normalize(&member.path, &mut path);
            let name = String::from_utf8_lossy(&path).into_owned();
            if let Some(entry) = index_entry(member, &name) {
                members.insert(name, entry);
            }
        };
        if members.is_empty()
            && let Some(TarError::NotAHeader(0)) = broken
        {
            return Err(SourceError::not_a_container_image(&describe_section(&section)));
        }
        Ok(Self { section, members, broken })
    }

    /// Returns the reason why the archive could not be read to its end.
    #[must_use]
    pub fn broken(&self) -> Option<&TarError> {
        self.broken.as_ref()
    }

    fn file(&self, name: &str) -> Option<(String, u64, u64)> {
        let located = follow(name, |name| match self.members.get(name) {
            Some(Member::File { .. }) => Step::Found,
            Some(Member::Link(target)) => Step::Link(target.clone()),
            None => Step::Nothing,
        })?;
        match self.members.get(&located) {
            Some(&Member::File { offset, length }) => Some((located, offset, length)),
            _ => None,
        }
    }
}

fn index_entry(member: &nixdive_scan::tar::Member, name: &str) -> Option<Member> {
    match member.fields.kind {
        Kind::File => Some(Member::File { offset: member.fields.offset, length: member.stored_bytes }),
        Kind::Symlink => Some(Member::Link(beside(name, &String::from_utf8_lossy(&member.link)))),
        Kind::HardLink => Some(Member::Link(String::from_utf8_lossy(&member.link).into_owned())),
        _ => None,
    }
}

/// Returns the path that a symbolic link at `name` refers to.
pub(super) fn beside(name: &str, target: &str) -> String {
    match name.rsplit_once('/') {
        Some((directory, _)) if !target.starts_with('/') => format!("{directory}/{target}"),
        _ => target.to_owned(),
    }
}

/// Kind of the member with a given name.
pub(super) enum Step {
    Found,
    Link(String),
    Nothing,
}

/// Returns the name of the file that `name` refers to, after following links.
pub(super) fn follow(name: &str, look: impl Fn(&str) -> Step) -> Option<String> {
    let mut path = Vec::new();
    let mut name = name.to_owned();
    for _ in 0..MAX_LINKS {
        normalize(name.as_bytes(), &mut path);
        name = String::from_utf8_lossy(&path).into_owned();
        match look(&name) {
            Step::Found => return Some(name),
            Step::Link(target) => name = target,
            Step::Nothing => return None,
        }
    }
    None
}

impl Container for ArchiveIndex {
    fn locate(&self, name: &str) -> Option<String> {
        self.file(name).map(|(located, ..)| located)
    }

    fn document(&self, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let Some((_, offset, length)) = self.file(name) else { return Ok(None) };
        if length > MAX_DOCUMENT_BYTES {
            return Err(SourceError::TooLong { name: name.to_owned(), length, most: MAX_DOCUMENT_BYTES });
        }
        let mut bytes = vec![0; length as usize];
        let count = self
            .section
            .read_full_at(&mut bytes, offset)
            .map_err(|error| SourceError::Part { name: name.to_owned(), error })?;
        if count < bytes.len() {
            let end = offset + count as u64;
            return Err(SourceError::Broken(format!("ends at offset {end}, within `{name}`: truncated")));
        }
        Ok(Some(bytes))
    }

    fn blob(&self, located: &str) -> Result<Option<Section>, SourceError> {
        Ok(self.file(located).map(|(_, offset, length)| self.section.part(offset, length)))
    }
}
