//! Small database files, for tests.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

/// A schema page, a leaf for every few rows, overflow pages and, above several leaves, one interior page.
pub fn sqlite_file(blobs: &[Vec<u8>], page_bytes: usize) -> Vec<u8> {
    let mut file = SqliteWriter { page_bytes, pages: vec![vec![0; page_bytes]; 2] };
    let mut leaves = vec![file.leaf(0)];
    for (row, blob) in blobs.iter().enumerate() {
        let serial = (blob.len() * 2 + 12) as u64;
        let types = [vec![0], varint(serial)].concat();
        let record = [varint(types.len() as u64 + 1), types, blob.clone()].concat();
        let cell = file.cell(row as u64 + 1, &record);
        let fits = leaves.last_mut().is_some_and(|leaf| leaf.add(&cell));
        if !fits {
            let mut leaf = file.leaf(0);
            assert!(leaf.add(&cell));
            leaves.push(leaf);
        }
    }
    let numbers: Vec<u32> = leaves.into_iter().map(|leaf| file.push(leaf.finish(0x0d))).collect();
    let mut root = Leaf { reserved: 12, ..file.leaf(0) };
    let (last, others) = numbers.split_last().unwrap();
    for number in others {
        assert!(root.add(&[&number.to_be_bytes()[..], &[1]].concat()));
    }
    let mut root = root.finish(0x05);
    root[8..12].copy_from_slice(&last.to_be_bytes());
    file.pages[1] = root;
    let statement = "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)";
    file.finish(&[("Packages", 2, statement)])
}

/// A value of a row.
pub enum Cell<'c> {
    Null,
    Number(i64),
    Text(&'c str),
}

/// A table of a database that is to be written; its rows count from 1.
pub struct SampleTable<'c> {
    pub name: &'c str,
    pub statement: &'c str,
    pub rows: Vec<Vec<Cell<'c>>>,
}

/// A database with some tables, each in one leaf of a large page.
pub fn sqlite_tables(tables: &[SampleTable<'_>]) -> Vec<u8> {
    let mut file = SqliteWriter { page_bytes: 16_384, pages: vec![Vec::new()] };
    let mut schema = Vec::new();
    for table in tables {
        let mut leaf = file.leaf(0);
        for (row, cells) in table.rows.iter().enumerate() {
            let cell = file.cell(row as u64 + 1, &record(cells));
            assert!(leaf.add(&cell));
        }
        schema.push((table.name, file.push(leaf.finish(0x0d)), table.statement));
    }
    file.finish(&schema)
}

fn record(cells: &[Cell<'_>]) -> Vec<u8> {
    let (mut types, mut values) = (Vec::new(), Vec::new());
    for cell in cells {
        match cell {
            Cell::Null => types.push(0),
            Cell::Number(number) => {
                types.push(6);
                values.extend_from_slice(&number.to_be_bytes());
            }
            Cell::Text(text) => {
                types.extend(varint(text.len() as u64 * 2 + 13));
                values.extend_from_slice(text.as_bytes());
            }
        }
    }
    [varint(types.len() as u64 + 1), types, values].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = vec![(value & 0x7f) as u8];
    while value > 0x7f {
        value >>= 7;
        bytes.insert(0, (value & 0x7f) as u8 | 0x80);
    }
    bytes
}

struct SqliteWriter {
    page_bytes: usize,
    pages: Vec<Vec<u8>>,
}

impl SqliteWriter {
    /// Writes the first page: the header, and the tables with their roots and statements.
    fn finish(mut self, tables: &[(&str, u32, &str)]) -> Vec<u8> {
        let mut schema = self.leaf(100);
        for (row, &(name, root, statement)) in tables.iter().enumerate() {
            let texts = [Cell::Text("table"), Cell::Text(name), Cell::Text(name)];
            let cells: Vec<Cell<'_>> =
                texts.into_iter().chain([Cell::Number(root.into()), Cell::Text(statement)]).collect();
            let cell = self.cell(row as u64 + 1, &record(&cells));
            assert!(schema.add(&cell));
        }
        let mut first = schema.finish(0x0d);
        first[..16].copy_from_slice(b"SQLite format 3\0");
        let stored = if self.page_bytes == 65_536 { 1 } else { self.page_bytes as u16 };
        first[16..18].copy_from_slice(&stored.to_be_bytes());
        self.pages[0] = first;
        self.pages.concat()
    }

    fn push(&mut self, page: Vec<u8>) -> u32 {
        self.pages.push(page);
        self.pages.len() as u32
    }

    fn leaf(&self, start: usize) -> Leaf {
        Leaf { page: vec![0; self.page_bytes], start, reserved: 8, cells: 0, content: self.page_bytes }
    }

    fn cell(&mut self, row: u64, record: &[u8]) -> Vec<u8> {
        let (most, least) = (self.page_bytes - 35, (self.page_bytes - 12) * 32 / 255 - 23);
        let head = [varint(record.len() as u64), varint(row)].concat();
        if record.len() <= most {
            return [&head[..], record].concat();
        }
        let filling = least + (record.len() - least) % (self.page_bytes - 4);
        let local = if filling <= most { filling } else { least };
        let mut next = 0u32;
        let chunks: Vec<&[u8]> = record[local..].chunks(self.page_bytes - 4).collect();
        for chunk in chunks.iter().rev() {
            let mut page = [&next.to_be_bytes()[..], chunk].concat();
            page.resize(self.page_bytes, 0);
            next = self.push(page);
        }
        [&head[..], &record[..local], &next.to_be_bytes()].concat()
    }
}

struct Leaf {
    page: Vec<u8>,
    start: usize,
    reserved: usize,
    cells: usize,
    content: usize,
}

impl Leaf {
    fn add(&mut self, cell: &[u8]) -> bool {
        let pointer = self.start + self.reserved + self.cells * 2;
        if pointer + 2 + cell.len() > self.content {
            return false;
        }
        self.content -= cell.len();
        self.page[self.content..][..cell.len()].copy_from_slice(cell);
        self.page[pointer..pointer + 2].copy_from_slice(&(self.content as u16).to_be_bytes());
        self.cells += 1;
        true
    }

    fn finish(mut self, kind: u8) -> Vec<u8> {
        self.page[self.start] = kind;
        self.page[self.start + 3..self.start + 5].copy_from_slice(&(self.cells as u16).to_be_bytes());
        self.page
    }
}
