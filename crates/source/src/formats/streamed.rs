use hashbrown::HashMap;

use super::archive::{Step, beside, follow};
use super::{Container, MAX_DOCUMENT_BYTES, SourceError};
use nixdive_scan::Section;

/// A member of an archive that was read as a stream.
pub enum StreamedMember {
    /// A small JSON document in memory.
    Document(Vec<u8>),
    /// A layer that was read from the stream, with its number.
    Layer(usize),
    /// A compressed layer, spooled to be read by several threads, or a document that did not fit in memory.
    Aside(Section),
    /// A symbolic link, as written.
    Symlink(String),
    /// A hard link, as written.
    HardLink(String),
    /// A document longer than any real one, with its length in bytes.
    TooLong(u64),
    /// Not a part of an image, judging by its first bytes; with the name of its format if known.
    Unknown(Option<&'static str>),
}

/// The members of a streamed archive, in any order.
#[derive(Default)]
pub struct StreamedMembers {
    members: HashMap<String, StreamedMember>,
}

impl StreamedMembers {
    /// Adds a member under its normalised name; the last one of a name counts.
    pub fn insert(&mut self, name: String, member: StreamedMember) {
        self.members.insert(name, member);
    }

    /// Returns the number of members so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Returns `true` if it has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Returns the format of a member that is neither a layer nor a document, if known.
    #[must_use]
    pub fn format(&self, located: &str) -> Option<&'static str> {
        match self.members.get(located) {
            Some(&StreamedMember::Unknown(format)) => format,
            _ => None,
        }
    }

    /// Returns the number of the layer that was read under a name that [`Container::locate`] returned.
    #[must_use]
    pub fn layer(&self, located: &str) -> Option<usize> {
        match self.members.get(located) {
            Some(&StreamedMember::Layer(number)) => Some(number),
            _ => None,
        }
    }
}

impl Container for StreamedMembers {
    fn locate(&self, name: &str) -> Option<String> {
        follow(name, |name| match self.members.get(name) {
            Some(StreamedMember::Symlink(target)) => Step::Link(beside(name, target)),
            Some(StreamedMember::HardLink(target)) => Step::Link(target.clone()),
            Some(_) => Step::Found,
            None => Step::Nothing,
        })
    }

    fn document(&self, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let Some(located) = self.locate(name) else { return Ok(None) };
        match self.members.get(&located) {
            Some(StreamedMember::Document(bytes)) => Ok(Some(bytes.clone())),
            Some(&StreamedMember::TooLong(length)) => {
                Err(SourceError::TooLong { name: name.to_owned(), length, most: MAX_DOCUMENT_BYTES })
            }
            Some(StreamedMember::Aside(section)) => {
                let length = section.length();
                if length > MAX_DOCUMENT_BYTES {
                    return Err(SourceError::TooLong { name: name.to_owned(), length, most: MAX_DOCUMENT_BYTES });
                }
                let mut bytes = vec![0; length as usize];
                let count = section
                    .read_full_at(&mut bytes, 0)
                    .map_err(|error| SourceError::Part { name: name.to_owned(), error })?;
                bytes.truncate(count);
                Ok(Some(bytes))
            }
            Some(_) => Err(SourceError::Document { name: name.to_owned(), reason: "not a JSON document".to_owned() }),
            None => Ok(None),
        }
    }

    fn blob(&self, located: &str) -> Result<Option<Section>, SourceError> {
        Ok(match self.members.get(located) {
            Some(StreamedMember::Aside(section)) => Some(section.clone()),
            _ => None,
        })
    }
}
