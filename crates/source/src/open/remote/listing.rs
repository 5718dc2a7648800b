use std::io;
use std::sync::Arc;

use super::arriving::Arriving;
use super::ranged::Ranged;
use crate::formats::DescribedLayer;
use nixdive_image::Compression;
use nixdive_scan::table::{
    FOOTER_BYTES, LayerTable, ListedContent, ListedFile, MAX_TABLE_BYTES, TableError, TableOptions, TablePosition,
    estargz_table, table_start, zstd_table,
};
use nixdive_scan::{Captured, LayerOptions, LayerProgress, Section};

/// Bytes at the end of an eStargz layer that are fetched at once: its footer, and usually its table.
const END_BYTES: u64 = 64 << 10;
/// Bytes of a table that are fetched at a time, so that progress is visible.
const PIECE: u64 = 1 << 20;

/// A layer with a table of contents that can be used instead of the layer.
#[derive(Clone)]
pub(in crate::open) struct Listing {
    ranged: Arc<Ranged>,
    arriving: Arc<Arriving>,
    position: TablePosition,
}

/// A layer represented by its table of contents, with contents fetched on demand.
#[derive(Clone)]
pub(in crate::open) struct Listed {
    listing: Listing,
    content: Arc<ListedContent>,
}

impl std::fmt::Debug for Listed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Listed").field("position", &self.listing.position).finish_non_exhaustive()
    }
}

impl Listing {
    /// Returns the listing of a layer whose annotations announce a table, or `None` if fetching the whole layer costs
    /// hardly more.
    pub(super) fn of(layer: &DescribedLayer, arriving: &Arc<Arriving>) -> Option<Self> {
        let position = TablePosition::of(&layer.annotations, arriving.length())?;
        (arriving.length() > END_BYTES).then(|| Self {
            ranged: Arc::new(Ranged::new(Arc::clone(arriving))),
            arriving: Arc::clone(arriving),
            position,
        })
    }

    /// Fetches and parses the table.
    pub fn read(&self, options: &LayerOptions, progress: &LayerProgress) -> Result<(LayerTable, Listed), TableError> {
        let json = self.table(&mut |bytes| {
            progress.read_bytes.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        })?;
        let (contents_end, holds_itself) = match &self.position {
            TablePosition::Estargz { .. } => (self.arriving.length().saturating_sub(FOOTER_BYTES), true),
            TablePosition::ZstdChunked { offset, .. } => (*offset, false),
        };
        let most_bytes = options.limit.always.max(self.arriving.length().saturating_mul(options.limit.ratio));
        let (names, wanted) = (options.names.clone(), options.wanted);
        let how = TableOptions { contents_end, most_bytes, holds_itself, names, wanted };
        let mut table = LayerTable::read(&json, &how)?;
        table.scan.compression = self.position.compression();
        let listed = Listed { listing: self.clone(), content: Arc::new(std::mem::take(&mut table.content)) };
        for (path, start) in std::mem::take(&mut table.wanted) {
            options.cancel.check()?;
            let mut content = Vec::new();
            if let Some(mut reader) = listed.read(start)? {
                reader.read_to_end(&mut content)?;
            }
            table.scan.captured.push(Captured { path, offset: start, content });
        }
        Ok((table, listed))
    }

    /// Returns the unpacked table, from the cache or the registry.
    fn table(&self, fetched: &mut dyn FnMut(u64)) -> Result<Vec<u8>, TableError> {
        let digest = self.position.digest();
        let cache = self.arriving.downloads().cache.as_ref();
        if let Some(kept) = cache.and_then(|cache| cache.document(digest, MAX_TABLE_BYTES)) {
            return match &self.position {
                TablePosition::Estargz { .. } => Ok(kept),
                TablePosition::ZstdChunked { .. } => zstd_table(kept, digest),
            };
        }
        match &self.position {
            TablePosition::Estargz { .. } => {
                let table = estargz_table(self.end_of_layer(fetched)?, digest)?;
                if let Some(cache) = cache {
                    cache.keep_document(digest, &table);
                }
                Ok(table)
            }
            TablePosition::ZstdChunked { offset, length, .. } => {
                let stored = self.part(*offset, *length, fetched)?;
                let table = zstd_table(stored.clone(), digest)?;
                if let Some(cache) = cache {
                    cache.keep_document(digest, &stored);
                }
                Ok(table)
            }
        }
    }

    /// Returns the last bytes of an eStargz layer, from its table on.
    fn end_of_layer(&self, fetched: &mut dyn FnMut(u64)) -> Result<Vec<u8>, TableError> {
        let length = self.arriving.length();
        let end_from = length.saturating_sub(END_BYTES);
        let mut end = self.part(end_from, length - end_from, fetched)?;
        let start = table_start(&end, length)?;
        match start.checked_sub(end_from).and_then(|within| usize::try_from(within).ok()) {
            Some(within) => Ok(end.split_off(within.min(end.len()))),
            None => {
                let mut table = self.part(start, end_from - start, fetched)?;
                table.append(&mut end);
                Ok(table)
            }
        }
    }

    fn part(&self, offset: u64, length: u64, fetched: &mut dyn FnMut(u64)) -> Result<Vec<u8>, TableError> {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < length {
            let from = bytes.len() as u64;
            let piece = (length - from).min(PIECE);
            bytes.extend(self.ranged.part(offset.saturating_add(from), piece).map_err(io::Error::other)?);
            fetched(piece);
        }
        Ok(bytes)
    }
}

impl Listed {
    /// Opens the content of the file that begins at `start`, or returns `None` if none does.
    pub fn read(&self, start: u64) -> io::Result<Option<Box<dyn io::Read + Send>>> {
        let Some(file) = self.content.file(start) else { return Ok(None) };
        if file.is_table() {
            let table = self.listing.table(&mut |_| {}).map_err(io::Error::other)?;
            return Ok(Some(Box::new(io::Cursor::new(table))));
        }
        let layer = Section::new(self.listing.ranged.clone(), 0, self.listing.arriving.length());
        Ok(Some(Box::new(self.content.read(file, layer, self.listing.position.compression()))))
    }

    /// Returns the file that begins at `start`.
    pub fn file(&self, start: u64) -> Option<&ListedFile> {
        self.content.file(start)
    }

    /// Returns the whole stored layer and its compression. Reading it fetches it.
    pub fn whole(&self) -> (Section, Compression) {
        let arriving = Arc::clone(&self.listing.arriving);
        let length = arriving.length();
        (Section::new(Arc::new(arriving), 0, length), self.listing.position.compression())
    }
}
