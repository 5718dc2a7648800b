//! JSON of which only what has the right type counts, read in memory that does not grow with what is left out.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Items of one list that are kept: far beyond any real configuration.
const MAX_ITEMS: usize = 100_000;

/// Something that is filled by the values that suit it, and left alone by all others.
pub(super) trait Fill: Default {
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

/// A value of any type, of which `T` takes what suits it.
#[derive(Debug, Default)]
pub(super) struct Lenient<T>(pub T);

impl<'de, T: Fill> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FillVisitor(PhantomData))
    }
}

struct FillVisitor<T>(PhantomData<T>);

impl<'de, T: Fill> Visitor<'de> for FillVisitor<T> {
    type Value = Lenient<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Self::Value, E> {
        let mut value = T::default();
        value.truth(truth);
        Ok(Lenient(value))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        let mut value = T::default();
        value.number(number);
        Ok(Lenient(value))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Lenient(T::default()))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Lenient(T::default()))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Lenient(T::default()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let mut value = T::default();
        value.text(text);
        Ok(Lenient(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        let mut value = T::default();
        value.list(items)?;
        Ok(Lenient(value))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        let mut value = T::default();
        value.map(entries)?;
        Ok(Lenient(value))
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

/// Texts of a list; a text alone is a list of one.
#[derive(Debug, Default)]
pub(super) struct Texts(pub Vec<String>);

impl Fill for Texts {
    fn text(&mut self, text: &str) {
        self.0.push(text.to_owned());
    }

    fn list<'de, A: SeqAccess<'de>>(&mut self, mut items: A) -> Result<(), A::Error> {
        while let Some(Lenient(item)) = items.next_element::<Lenient<Option<String>>>()? {
            self.0.extend(item.filter(|_| self.0.len() < MAX_ITEMS));
        }
        Ok(())
    }
}

/// Names and values of an object, in the order of the names. Numbers and truths count as the texts that they are.
#[derive(Debug, Default)]
pub(super) struct Pairs(pub Vec<(String, String)>);

impl Fill for Pairs {
    fn map<'de, A: MapAccess<'de>>(&mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some((name, Lenient(Scalar(value)))) = entries.next_entry::<String, Lenient<Scalar>>()? {
            if self.0.len() < MAX_ITEMS {
                self.0.push((name, value));
            }
        }
        self.0.sort();
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

/// The objects of a list; what is none counts as an empty one.
#[derive(Debug, Default)]
pub(super) struct Objects<T>(pub Vec<T>);

impl<T: Fill> Fill for Objects<T> {
    fn list<'de, A: SeqAccess<'de>>(&mut self, mut items: A) -> Result<(), A::Error> {
        while let Some(Lenient(item)) = items.next_element::<Lenient<T>>()? {
            if self.0.len() < MAX_ITEMS {
                self.0.push(item);
            }
        }
        Ok(())
    }
}

/// A list that must be one, of no more than `MOST` items.
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
                return Err(A::Error::custom(format_args!("a list of more than {MOST} items is refused")));
            }
            list.push(item);
        }
        Ok(Bounded(list))
    }
}
