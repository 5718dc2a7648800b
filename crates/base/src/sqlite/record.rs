//! Records: a header of serial types, then the values ("Record Format").

/// A value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'r> {
    /// `NULL`, also where a row ends before its table's last column.
    Null,
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text in the encoding of the database.
    Text(&'r [u8]),
    /// Bytes.
    Blob(&'r [u8]),
}

impl<'r> Value<'r> {
    /// The bytes of a text or blob.
    #[must_use]
    pub fn bytes(self) -> Option<&'r [u8]> {
        match self {
            Self::Text(bytes) | Self::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The number that an integer is.
    #[must_use]
    pub fn integer(self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(number) } else { None }
    }
}

/// A row of a table.
#[derive(Debug, Clone, Copy)]
pub struct Row<'r> {
    /// Its number. A column that is the table's integer primary key stands here, and is [`Value::Null`] in the row.
    pub id: i64,
    pub(super) record: &'r [u8],
}

impl<'r> Row<'r> {
    /// The value of a column by its place, from 0; `None` where the record is damaged.
    #[must_use]
    pub fn value(&self, column: usize) -> Option<Value<'r>> {
        let (header_bytes, mut at) = varint(self.record, 0)?;
        let header_bytes = usize::try_from(header_bytes).ok()?;
        let header = self.record.get(..header_bytes)?;
        let mut value_at = header_bytes;
        for _ in 0..column {
            if at >= header.len() {
                return Some(Value::Null);
            }
            let (serial, next) = varint(header, at)?;
            value_at = value_at.checked_add(serial_bytes(serial)?)?;
            at = next;
        }
        if at >= header.len() {
            return Some(Value::Null);
        }
        let (serial, _) = varint(header, at)?;
        let bytes = slice(self.record, value_at, serial_bytes(serial)?)?;
        Some(match serial {
            0 => Value::Null,
            1..=6 => Value::Integer(integer(bytes)),
            7 => Value::Real(f64::from_be_bytes(*bytes.first_chunk()?)),
            8 => Value::Integer(0),
            9 => Value::Integer(1),
            odd if odd % 2 == 1 => Value::Text(bytes),
            _ => Value::Blob(bytes),
        })
    }
}

/// A big-endian number in two's complement of up to eight bytes.
fn integer(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    bytes.iter().fold(if negative { -1 } else { 0 }, |value, &byte| value << 8 | i64::from(byte))
}

fn serial_bytes(serial: u64) -> Option<usize> {
    match serial {
        0 | 8 | 9 => Some(0),
        1..=4 => Some(serial as usize),
        5 => Some(6),
        6 | 7 => Some(8),
        10 | 11 => None,
        _ => usize::try_from((serial - 12) / 2).ok(),
    }
}

/// A variable-length integer, and where it ends.
pub(super) fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (index, &byte) in bytes.get(at..)?.iter().take(9).enumerate() {
        if index == 8 {
            return Some((value << 8 | u64::from(byte), at + 9));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some((value, at + index + 1));
        }
    }
    None
}

/// `bytes[start..start + length]`.
pub(super) fn slice(bytes: &[u8], start: usize, length: usize) -> Option<&[u8]> {
    bytes.get(start..start.checked_add(length)?)
}
