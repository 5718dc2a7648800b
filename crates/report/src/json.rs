//! JSON with two-space indent, written as it is produced.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// How strings and numbers are written.
#[derive(Clone, Copy)]
pub(super) struct Dialect {
    /// Characters written as `\u….`, besides those that JSON demands.
    escape: fn(char) -> bool,
    /// Whole floating-point numbers without `.0`, small ones with an exponent: as Go's `encoding/json` does.
    go_numbers: bool,
}

/// Our own: nothing in it can steer a terminal.
pub(super) const OWN: Dialect = Dialect { escape: nixdive_base::text::steers_terminal, go_numbers: false };

/// That of Go's `encoding/json` with its default HTML escapes.
pub(super) const GO: Dialect =
    Dialect { escape: |character| matches!(character, '<' | '>' | '&' | '\u{2028}' | '\u{2029}'), go_numbers: true };

/// Writes `value` and a line feed.
pub(super) fn write_pretty(value: &impl Serialize, dialect: Dialect, out: &mut dyn Write) -> io::Result<()> {
    let mut buffered = io::BufWriter::with_capacity(1 << 16, out);
    let mut serializer = Serializer::with_formatter(&mut buffered, Pretty::new(dialect));
    value.serialize(&mut serializer).map_err(io::Error::from)?;
    buffered.write_all(b"\n")?;
    buffered.flush()
}

struct Pretty {
    inner: PrettyFormatter<'static>,
    dialect: Dialect,
}

impl Pretty {
    fn new(dialect: Dialect) -> Self {
        Self { inner: PrettyFormatter::new(), dialect }
    }
}

macro_rules! forward {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {
        $(fn $name<W: ?Sized + Write>(&mut self, writer: &mut W $(, $argument: $kind)*) -> io::Result<()> {
            self.inner.$name(writer $(, $argument)*)
        })*
    };
}

impl Formatter for Pretty {
    forward! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        begin_object_value();
        end_object_value();
    }

    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        if !self.dialect.go_numbers {
            return self.inner.write_f64(writer, value);
        }
        if value != 0.0 && (value.abs() < 1e-6 || value.abs() >= 1e21) {
            return write!(writer, "{value:e}");
        }
        write!(writer, "{value}")
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        write_escaped(writer, fragment, self.dialect.escape)
    }
}

/// Writes a part of a string, some characters as `\u….`.
pub(super) fn write_escaped<W: ?Sized + Write>(
    writer: &mut W,
    fragment: &str,
    escape: fn(char) -> bool,
) -> io::Result<()> {
    let mut written = 0;
    for (at, character) in fragment.char_indices().filter(|&(_, character)| escape(character)) {
        writer.write_all(&fragment.as_bytes()[written..at])?;
        for unit in character.encode_utf16(&mut [0; 2]) {
            write!(writer, "\\u{unit:04x}")?;
        }
        written = at + character.len_utf8();
    }
    writer.write_all(&fragment.as_bytes()[written..])
}
