use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::{ArchiveEntry, ArchiveListing, MOST_UNPACKED};
use nixdive_base::cancel::Cancel;
use nixdive_image::{Compression, Kind};
use nixdive_scan::tar::{SectionInput, TarInput, TarWalker};
use nixdive_scan::{BlockReader, Section, UnpackLimit, compression};

/// Lists a tar archive: of a plain one only the headers are read.
pub(super) fn list(
    content: &Section,
    packed: Compression,
    cancel: &Cancel,
    listing: &mut ArchiveListing,
) -> io::Result<()> {
    if packed == Compression::None {
        return walk(SectionInput::new(content.clone(), cancel.clone()), listing);
    }
    let stream = compression::decoder(content.buffered(), packed, 1)?;
    let limit = UnpackLimit { always: MOST_UNPACKED, ratio: 0 };
    walk(BlockReader::spawn(stream, Arc::new(AtomicU64::new(0)), limit, cancel.clone())?, listing)
}

fn walk(input: impl TarInput, listing: &mut ArchiveListing) -> io::Result<()> {
    let mut walker = TarWalker::new(input);
    while walker.advance().map_err(io::Error::other)? {
        let member = walker.member();
        let links = matches!(member.fields.kind, Kind::Symlink | Kind::HardLink);
        let entry = ArchiveEntry {
            name: member.path.clone(),
            kind: member.fields.kind,
            bytes: member.fields.bytes,
            mode: Some(member.fields.mode),
            link: links.then(|| member.link.clone()),
        };
        if !listing.push(entry) {
            break;
        }
    }
    Ok(())
}
