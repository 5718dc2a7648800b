use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;

const PAGE: usize = 4096;

/// A bucket to write.
#[derive(Debug, Clone, Default)]
pub struct Written(Vec<(Vec<u8>, Entry)>);

#[derive(Debug, Clone)]
enum Entry {
    Value(Vec<u8>),
    Bucket(Written),
}

impl Written {
    pub fn value(mut self, key: &str, value: &str) -> Self {
        self.0.push((key.into(), Entry::Value(value.into())));
        self
    }

    pub fn bucket(mut self, key: &str, bucket: Self) -> Self {
        self.0.push((key.into(), Entry::Bucket(bucket)));
        self
    }

    /// Returns the file: a page for each bucket; the bucket `v1` is below a branch page.
    pub fn file(self) -> Vec<u8> {
        let mut pages = vec![vec![0; PAGE], vec![0; PAGE]];
        let leaf = self.write(&mut pages);
        let branch = pages.len();
        let mut page = header(BRANCH, 1);
        page.extend(u32::to_le_bytes(16));
        page.extend(u32::to_le_bytes(0));
        page.extend(u64::to_le_bytes(leaf as u64));
        page.resize(PAGE, 0);
        pages.push(page);
        pages[0] = meta(1, 99);
        pages[1] = meta(2, branch as u64);
        pages.concat()
    }

    fn write(self, pages: &mut Vec<Vec<u8>>) -> usize {
        let items: Vec<(Vec<u8>, u32, Vec<u8>)> = self
            .0
            .into_iter()
            .map(|(key, entry)| match entry {
                Entry::Value(value) => (key, 0, value),
                Entry::Bucket(bucket) if bucket.0.iter().all(|(_, entry)| matches!(entry, Entry::Value(_))) => {
                    let mut value = vec![0; BUCKET_HEADER_BYTES];
                    let values = bucket.0.into_iter().map(|(key, entry)| match entry {
                        Entry::Value(value) => (key, 0, value),
                        Entry::Bucket(_) => unreachable!(),
                    });
                    value.extend(leaf(&values.collect::<Vec<_>>()));
                    (key, IS_BUCKET, value)
                }
                Entry::Bucket(bucket) => {
                    let root = bucket.write(pages) as u64;
                    (key, IS_BUCKET, [root.to_le_bytes(), [0; 8]].concat())
                }
            })
            .collect();
        let mut page = leaf(&items);
        let overflow = page.len().div_ceil(PAGE) - 1;
        page[12..16].copy_from_slice(&u32::try_from(overflow).unwrap().to_le_bytes());
        page.resize((overflow + 1) * PAGE, 0);
        let number = pages.len();
        pages.extend(page.chunks(PAGE).map(<[u8]>::to_vec));
        number
    }
}

fn header(flags: u16, count: u16) -> Vec<u8> {
    let mut page = vec![0; PAGE_HEADER_BYTES];
    page[8..10].copy_from_slice(&flags.to_le_bytes());
    page[10..12].copy_from_slice(&count.to_le_bytes());
    page
}

fn leaf(items: &[(Vec<u8>, u32, Vec<u8>)]) -> Vec<u8> {
    let mut page = header(LEAF, u16::try_from(items.len()).unwrap());
    let mut data = Vec::new();
    for (index, (key, flags, value)) in items.iter().enumerate() {
        let position = (items.len() - index) * ELEMENT_BYTES + data.len();
        for number in [*flags, position as u32, key.len() as u32, value.len() as u32] {
            page.extend(number.to_le_bytes());
        }
        data.extend_from_slice(key);
        data.extend_from_slice(value);
    }
    page.extend(data);
    page
}

fn meta(transaction: u64, root: u64) -> Vec<u8> {
    let mut page = header(4, 0);
    for number in [MAGIC, VERSION, PAGE as u32, 0] {
        page.extend(number.to_le_bytes());
    }
    for number in [root, 0, 0, 0, transaction] {
        page.extend(number.to_le_bytes());
    }
    let hash = page[PAGE_HEADER_BYTES..]
        .iter()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    page.extend(hash.to_le_bytes());
    page.resize(PAGE, 0);
    page
}

fn sample() -> Vec<u8> {
    let long = "x".repeat(3 * PAGE);
    let inner = Written::default().value("digest", "sha256:1").value("long", &long);
    Written::default().bucket("a", inner.clone()).bucket("b", Written::default().bucket("c", inner)).file()
}

#[test]
fn buckets_are_read_from_pages_branches_and_inline() {
    let bolt = Bolt::new(sample()).unwrap();
    let inner = bolt.bucket(bolt.root(), b"a").unwrap().unwrap();
    assert_eq!(bolt.text(inner, b"digest").unwrap(), Some("sha256:1"));
    assert_eq!(bolt.text(inner, b"long").unwrap().map(str::len), Some(3 * PAGE));
    let outer = bolt.bucket(bolt.root(), b"b").unwrap().unwrap();
    assert!(matches!(bolt.item(outer, b"c").unwrap(), Some(Item::Bucket(_))));
    assert!(bolt.item(outer, b"d").unwrap().is_none());
}

#[test]
fn the_newest_whole_meta_page_counts() {
    let mut content = sample();
    // The newer meta page, the second one, is damaged; the older one leads nowhere.
    content[PAGE + PAGE_HEADER_BYTES + 20] ^= 1;
    let bolt = Bolt::new(content.clone()).unwrap();
    assert!(matches!(bolt.items(bolt.root()), Err(BoltError::Damaged)));
    let mut content = sample();
    content[PAGE_HEADER_BYTES] ^= 1;
    assert!(Bolt::new(content).is_ok(), "the second page counts where the first is damaged");
    assert!(matches!(Bolt::new(vec![0; 3 * PAGE]), Err(BoltError::NotBolt)));
    assert!(matches!(Bolt::new(Vec::new()), Err(BoltError::NotBolt)));
}

#[test]
fn pages_in_a_circle_are_damaged() {
    let mut content = sample();
    let branch = content.len() - PAGE;
    let own = (branch / PAGE) as u64;
    content[branch + PAGE_HEADER_BYTES + 8..branch + PAGE_HEADER_BYTES + 16].copy_from_slice(&own.to_le_bytes());
    let bolt = Bolt::new(content).unwrap();
    assert!(matches!(bolt.items(bolt.root()), Err(BoltError::Damaged)));
}

#[test]
fn reading_a_hostile_file_ends() {
    let bolt = Bolt::new(sample()).unwrap();
    let readings = (0..100_000).take_while(|_| bolt.items(bolt.root()).is_ok()).count();
    assert!((10..50_000).contains(&readings), "{readings}");
}

#[test]
fn other_files_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("meta.db");
    assert!(matches!(Bolt::read(&path), Err(BoltError::Io(_))));
    fs::write(&path, "no database").unwrap();
    assert!(matches!(Bolt::read(&path), Err(BoltError::NotBolt)));
    fs::write(&path, sample()).unwrap();
    assert!(Bolt::read(Path::new(&path)).is_ok());
}

fn walk(bolt: &Bolt) {
    let mut waiting = vec![(bolt.root(), 0)];
    while let Some((bucket, depth)) = waiting.pop() {
        for (_, item) in bolt.items(bucket).unwrap_or_default() {
            if let (Item::Bucket(bucket), true) = (item, depth < 3 && waiting.len() < 100) {
                waiting.push((bucket, depth + 1));
            }
        }
    }
}

proptest! {
    #[test]
    fn nothing_panics_on_changed_bytes(changes in prop::collection::vec((2 * PAGE..7 * PAGE, any::<u8>()), 1..40)) {
        let mut content = sample();
        for (offset, byte) in changes {
            if let Some(place) = content.get_mut(offset) {
                *place = byte;
            }
        }
        walk(&Bolt::new(content).unwrap());
    }
}
