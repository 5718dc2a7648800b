use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::value::RawValue;

use super::field_of;

/// A value of a document, whose structs are filled as Go fills them.
pub(super) struct GoValue<'de>(pub &'de RawValue);

type Json<'de> = serde_json::Deserializer<serde_json::de::StrRead<'de>>;

impl<'de> GoValue<'de> {
    fn json(&self) -> Json<'de> {
        serde_json::Deserializer::from_str(self.0.get())
    }

    fn first(&self) -> Option<u8> {
        self.0.get().bytes().find(|byte| !byte.is_ascii_whitespace())
    }
}

impl<'de> Deserializer<'de> for GoValue<'de> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.first() {
            Some(b'{') => self.json().deserialize_map(Wrapped(visitor)),
            Some(b'[') => self.json().deserialize_seq(Wrapped(visitor)),
            _ => self.json().deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.first() {
            Some(b'n') => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self.first() {
            Some(b'{') => self.json().deserialize_map(Struct { fields, visitor }),
            // serde would take the items for the fields in their order.
            Some(b'[') => Err(Self::Error::invalid_type(Unexpected::Seq, &visitor)),
            _ => self.json().deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.json().deserialize_enum(name, variants, visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier
    }
}

/// Reads a value that was set aside.
fn fill<'de, S: DeserializeSeed<'de>, E: serde::de::Error>(value: &'de RawValue, seed: S) -> Result<S::Value, E> {
    seed.deserialize(GoValue(value)).map_err(E::custom)
}

/// Lists and maps whose parts are read as Go reads them, one at a time.
struct Wrapped<T>(T);

impl<'de, V: Visitor<'de>> Visitor<'de> for Wrapped<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(formatter)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Wrapped(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Wrapped(entries))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Wrapped<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element::<&RawValue>()?.map(|value| fill(value, seed)).transpose()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Wrapped<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        fill(self.0.next_value::<&RawValue>()?, seed)
    }
}

/// The entries of an object, by the fields that they mean.
struct Struct<V> {
    fields: &'static [&'static str],
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Struct<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(formatter)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<V::Value, A::Error> {
        let mut known: Vec<(String, &RawValue)> = Vec::new();
        let mut unknown = None;
        while let Some(key) = entries.next_key::<String>()? {
            match field_of(&key, self.fields) {
                Some(field) => {
                    let value = entries.next_value::<&RawValue>()?;
                    match known.iter_mut().find(|(name, _)| name == field) {
                        Some((_, place)) => *place = value,
                        None => known.push((field.to_owned(), value)),
                    }
                }
                // One is enough for a type that refuses what it does not know.
                None if unknown.is_none() => unknown = Some((key, entries.next_value::<&RawValue>()?)),
                None => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        let entries = known.into_iter().chain(unknown);
        self.visitor.visit_map(Fields { entries, value: None, error: PhantomData })
    }
}

struct Fields<'de, I, E> {
    entries: I,
    value: Option<&'de RawValue>,
    error: PhantomData<E>,
}

impl<'de, I: Iterator<Item = (String, &'de RawValue)>, E: serde::de::Error> MapAccess<'de> for Fields<'de, I, E> {
    type Error = E;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, E> {
        let Some((name, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(serde::de::value::StringDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, E> {
        let value = self.value.take().ok_or_else(|| E::custom("a value without a key"))?;
        fill(value, seed)
    }
}
