//! Lenient JSON parsing: ignores values of the wrong type, without memory for what is ignored.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Maximum number of items kept of one list: far beyond any real configuration.
const MAX_ITEMS: usize = 100_000;

/// A type that takes suitable values and ignores all others. As in Go's `encoding/json`, a second value for the same
/// field overrides the first: objects are merged, everything else is replaced.
pub(super) trait Fill: Default {
    fn nothing(&mut self) {}

    fn text(&mut self, _text: &str) {}

    fn number(&mut self, _number: u64) {}

    fn truth(&mut self, _truth: bool) {}

    fn list<'de, A: SeqAccess<'de>>(&mut self, mut items: A) -> Result<(), A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn map<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// A value of any type, of which `T` takes the suitable parts.
#[derive(Debug, Default)]
pub(super) struct Lenient<T>(pub T);

impl<'de, T: Fill> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = T::default();
        Filled(&mut value).deserialize(deserializer)?;
        Ok(Self(value))
    }
}

/// Fills something with the next value.
pub(super) struct Filled<'a, T>(pub &'a mut T);

impl<'de, T: Fill> DeserializeSeed<'de> for Filled<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Fill> Visitor<'de> for Filled<'_, T> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<(), E> {
        self.0.truth(truth);
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.0.number(number);
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.nothing();
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.text(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<(), A::Error> {
        self.0.list(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<(), A::Error> {
        self.0.map(entries)
    }
}

impl Fill for String {
    fn text(&mut self, text: &str) {
        text.clone_into(self);
    }
}

impl Fill for bool {
    fn truth(&mut self, truth: bool) {
        *self = truth;
    }
}

impl Fill for Option<String> {
    fn text(&mut self, text: &str) {
        *self = Some(text.to_owned());
    }
}

impl Fill for Option<u64> {
    fn number(&mut self, number: u64) {
        *self = Some(number);
    }
}

impl Fill for Option<bool> {
    fn truth(&mut self, truth: bool) {
        *self = Some(truth);
    }
}

/// Accepts the texts of a list; a single text counts as a list of one.
impl Fill for Vec<String> {
    fn nothing(&mut self) {
        self.clear();
    }

    fn text(&mut self, text: &str) {
        *self = vec![text.to_owned()];
    }

    fn list<'de, A: SeqAccess<'de>>(&mut self, mut items: A) -> Result<(), A::Error> {
        self.clear();
        while let Some(Lenient(item)) = items.next_element::<Lenient<Option<String>>>()? {
            self.extend(item.filter(|_| self.len() < MAX_ITEMS));
        }
        Ok(())
    }
}

/// Names and values of an object, sorted by name; the last of equal names counts. Numbers and booleans are converted to
/// text.
#[derive(Debug, Default)]
pub(super) struct Pairs(pub Vec<(String, String)>);

impl Fill for Pairs {
    fn nothing(&mut self) {
        self.0.clear();
    }

    fn map<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some((name, Lenient(Scalar(value)))) = entries.next_entry::<String, Lenient<Scalar>>()? {
            if self.0.len() < MAX_ITEMS {
                self.0.push((name, value));
            }
        }
        // The sort keeps the order of equal names, so the last one comes first once the list is reversed.
        self.0.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.0.reverse();
        self.0.dedup_by(|later, earlier| later.0 == earlier.0);
        self.0.reverse();
        Ok(())
    }
}

#[derive(Default)]
struct Scalar(String);

impl Fill for Scalar {
    fn text(&mut self, text: &str) {
        text.clone_into(&mut self.0);
    }

    fn number(&mut self, number: u64) {
        self.0 = number.to_string();
    }

    fn truth(&mut self, truth: bool) {
        self.0 = truth.to_string();
    }
}

/// The objects of a list; items of other types count as empty objects.
#[derive(Debug, Default)]
pub(super) struct Objects<T>(pub Vec<T>);

impl<T: Fill> Fill for Objects<T> {
    fn nothing(&mut self) {
        self.0.clear();
    }

    fn list<'de, A: SeqAccess<'de>>(&mut self, mut items: A) -> Result<(), A::Error> {
        self.0.clear();
        while let Some(Lenient(item)) = items.next_element::<Lenient<T>>()? {
            if self.0.len() < MAX_ITEMS {
                self.0.push(item);
            }
        }
        Ok(())
    }
}

/// A list of at most `MOST` items; other types are an error.
#[derive(Debug)]
pub(super) struct Bounded<T, const MOST: usize>(pub Vec<T>);

impl<T, const MOST: usize> Default for Bounded<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Bounded<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(BoundedVisitor(PhantomData))
    }
}

struct BoundedVisitor<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for BoundedVisitor<T, MOST> {
    type Value = Bounded<T, MOST>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a list of at most {MOST} items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            if list.len() >= MOST {
                return Err(A::Error::custom(format_args!("a list has more than {MOST} items")));
            }
            list.push(item);
        }
        Ok(Bounded(list))
    }
}
