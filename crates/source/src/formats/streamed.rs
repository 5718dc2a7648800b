use hashbrown::HashMap;

use super::archive::{Step, beside, follow};
use super::{Container, MAX_DOCUMENT_BYTES, SourceError};
use nixdive_scan::Section;

/// What became of a member of an archive that came by once.
pub enum StreamedMember {
    /// A small JSON document, kept whole.
    Document(Vec<u8>),
    /// A layer that was read as it came by: its number among those.
    Layer(usize),
    /// A compressed layer, put aside to be read by several threads, or a document that found no room in memory.
    Aside(Section),
    /// A symbolic link, as written.
    Symlink(String),
    /// A hard link, as written.
    HardLink(String),
    /// A document longer than any real one: its length, bytes.
    TooLong(u64),
    /// Nothing that an image is made of, by its first bytes; the name of its format where that is known.
    Unknown(Option<&'static str>),
}

/// The members of an archive that came by once, in any order.
#[derive(Default)]
pub struct StreamedMembers {
    members: HashMap<String, StreamedMember>,
}

impl StreamedMembers {
    /// Keeps a member under its normalised name; the last of one name counts.
    pub fn insert(&mut self, name: String, member: StreamedMember) {
        self.members.insert(name, member);
    }

    /// Members so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The format of a member that is neither a layer nor a document, where it is known.
    #[must_use]
    pub fn format(&self, located: &str) -> Option<&'static str> {
        match self.members.get(located) {
            Some(&StreamedMember::Unknown(format)) => format,
            _ => None,
        }
    }

    /// The number of the layer that was read under a name that [`Container::locate`] gave.
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
            Some(_) => {
                Err(SourceError::Document { name: name.to_owned(), reason: "it is no JSON document".to_owned() })
            }
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
