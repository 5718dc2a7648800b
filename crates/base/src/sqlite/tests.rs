use super::record::varint;
use super::samples::sqlite_file;
use super::*;
use proptest::prelude::*;

fn read(content: &[u8]) -> Result<Vec<Vec<u8>>, SqliteError> {
    let mut database = Database::open(content)?;
    let table = database.table("packages")?.ok_or(SqliteError::Damaged)?;
    let mut blobs = Vec::new();
    database.for_each_row(&table, &mut |row| {
        blobs.extend(row.value(1).and_then(Value::bytes).map(<[u8]>::to_vec));
    })?;
    Ok(blobs)
}

#[test]
fn numbers_of_one_to_nine_bytes_are_read() {
    assert_eq!(varint(&[0x7f], 0), Some((0x7f, 1)));
    assert_eq!(varint(&[0x81, 0x00], 0), Some((0x80, 2)));
    assert_eq!(varint(&[0xff; 9], 0), Some((u64::MAX, 9)));
    assert_eq!(varint(&[0x81], 0), None);
}

#[test]
fn a_page_that_points_at_itself_ends_the_reading() {
    let mut file = sqlite_file(&[vec![1; 9000]], 512);
    // The first overflow page of the only blob is the last but some; make every overflow page its own successor.
    let pages = file.len() / 512;
    for page in 3..pages {
        file[page * 512..page * 512 + 4].copy_from_slice(&(page as u32 + 1).to_be_bytes());
    }
    assert_eq!(read(&file), Err(SqliteError::Damaged));
}

#[test]
fn cells_that_are_all_the_same_end_the_reading() {
    let mut file = sqlite_file(&[vec![1; 200]], 512);
    let leaf = 512 * 2;
    let cell: [u8; 2] = file[leaf + 8..leaf + 10].try_into().unwrap();
    file[leaf + 4] = 100;
    for pointer in 0..100 {
        file[leaf + 8 + pointer * 2..][..2].copy_from_slice(&cell);
    }
    assert_eq!(read(&file), Err(SqliteError::Damaged));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        lengths in proptest::collection::vec(0usize..6000, 0..24),
        page_bytes in prop_oneof![Just(512usize), Just(4096), Just(65_536)],
    ) {
        let blobs: Vec<Vec<u8>> = lengths
            .iter()
            .enumerate()
            .map(|(index, &length)| (0..length).map(|at| (at / 7 + index) as u8).collect())
            .collect();
        prop_assert_eq!(read(&sqlite_file(&blobs, page_bytes)), Ok(blobs));
    }

    #[test]
    fn damage_anywhere_never_panics(
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut file = sqlite_file(&[vec![1; 600], vec![2; 3000], vec![3; 10]], 512);
        for (place, byte) in damage {
            let place = place.index(file.len());
            file[place] = byte;
        }
        let _ = read(&file);
    }
}

#[test]
fn columns_are_found_in_the_statements_that_people_write() {
    let file = sqlite_file(&[], 512);
    let table = Database::open(&file).unwrap().table("PACKAGES").unwrap().unwrap();
    assert_eq!(table.columns, ["hnum", "blob"]);
    assert_eq!((table.column("Blob"), table.column("size")), (Some(1), None));
    let columns = |statement: &str| super::schema::columns(statement.as_bytes());
    let nix = "CREATE TABLE ValidPaths (\n id integer primary key, -- the id, (or not)\n path text unique, ca text)";
    assert_eq!(columns(nix), ["id", "path", "ca"]);
    assert_eq!(columns("create table t(\"a b\" numeric(1, 2) default ',', `c`,d)"), ["a b", "c", "d"]);
    assert_eq!(columns("create table t"), [""; 0]);
    assert_eq!(columns("("), [""; 0]);
}

#[test]
fn values_are_what_their_serial_types_say() {
    let record = [7, 0, 1, 2, 9, 15, 16, 0xff, 0x01, 0x00, b't', 0xab, 0xcd];
    let row = Row { id: 1, record: &record };
    let expected = [
        Value::Null,
        Value::Integer(-1),
        Value::Integer(256),
        Value::Integer(1),
        Value::Text(b"t"),
        Value::Blob(&[0xab, 0xcd]),
    ];
    for (column, value) in expected.into_iter().enumerate() {
        assert_eq!(row.value(column), Some(value));
    }
    assert_eq!(row.value(6), Some(Value::Null), "a column that was added later");
    assert_eq!(Row { id: 1, record: &record[..9] }.value(4), None);
    assert_eq!(Row { id: 1, record: &[200] }.value(0), None);
}

#[test]
fn what_is_no_database_or_has_its_text_in_utf_16_is_refused() {
    assert_eq!(Database::open(b"SQLite format 2\0").err(), Some(SqliteError::NotSqlite));
    assert_eq!(Database::open(&[]).err(), Some(SqliteError::NotSqlite));
    let mut file = sqlite_file(&[], 512);
    file[59] = 2;
    assert_eq!(Database::open(&file).err(), Some(SqliteError::Encoding));
}
