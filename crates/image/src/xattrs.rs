use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use hashbrown::HashSet;

/// One extended attribute. Clones share the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Xattr {
    /// `security.capability`, `user.…`.
    pub name: Arc<[u8]>,
    /// As stored.
    pub value: Arc<[u8]>,
}

/// Extended attributes of an entry, in the order of the header. Clones share them.
#[derive(Clone, Default, Eq)]
pub struct Xattrs(Option<Arc<[Xattr]>>);

impl Xattrs {
    /// No attributes.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

impl Deref for Xattrs {
    type Target = [Xattr];

    fn deref(&self) -> &[Xattr] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl fmt::Debug for Xattrs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

impl PartialEq for Xattrs {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || **self == **other
    }
}

impl Hash for Xattrs {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl From<Vec<Xattr>> for Xattrs {
    fn from(list: Vec<Xattr>) -> Self {
        Self((!list.is_empty()).then(|| list.into()))
    }
}

impl FromIterator<Xattr> for Xattrs {
    fn from_iter<I: IntoIterator<Item = Xattr>>(attributes: I) -> Self {
        attributes.into_iter().collect::<Vec<_>>().into()
    }
}

impl<'a> IntoIterator for &'a Xattrs {
    type Item = &'a Xattr;
    type IntoIter = std::slice::Iter<'a, Xattr>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Every distinct name, value and list of extended attributes once: what little compressed data can repeat a thousand
/// times takes memory a single time.
#[derive(Debug, Default)]
pub struct XattrPool {
    lists: HashSet<Xattrs>,
    texts: HashSet<Arc<[u8]>>,
}

impl XattrPool {
    /// Memory for the bookkeeping of one shared allocation and its place in the pool, bytes.
    const OVERHEAD: usize = 40;

    /// Memory that an attribute list takes beyond what the pool already has, bytes.
    #[must_use]
    pub fn missing_bytes(&self, list: &Xattrs) -> u64 {
        if list.is_empty() || self.lists.contains(list) {
            return 0;
        }
        let texts = list.iter().flat_map(|xattr| [&xattr.name, &xattr.value]);
        let missing = texts.filter(|text| !self.texts.contains(*text)).map(|text| text.len() + Self::OVERHEAD);
        (missing.sum::<usize>() + size_of_val(&**list) + Self::OVERHEAD) as u64
    }

    /// Gives the pool's own copy of an attribute list, which is added where it is new.
    #[must_use]
    pub fn share(&mut self, list: &Xattrs) -> Xattrs {
        if list.is_empty() {
            return Xattrs::new();
        }
        if let Some(known) = self.lists.get(list) {
            return known.clone();
        }
        let shared: Xattrs =
            list.iter().map(|xattr| Xattr { name: self.text(&xattr.name), value: self.text(&xattr.value) }).collect();
        self.lists.insert(shared.clone());
        shared
    }

    fn text(&mut self, text: &Arc<[u8]>) -> Arc<[u8]> {
        Arc::clone(self.texts.get_or_insert_with(text, Arc::clone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[(&str, &str)]) -> Xattrs {
        texts
            .iter()
            .map(|(name, value)| Xattr { name: name.as_bytes().into(), value: value.as_bytes().into() })
            .collect()
    }

    #[test]
    fn equal_lists_names_and_values_are_held_once() {
        let mut pool = XattrPool::default();
        let first = pool.share(&list(&[("user.a", "1"), ("user.b", "2")]));
        let again = list(&[("user.a", "1"), ("user.b", "2")]);
        assert_eq!(pool.missing_bytes(&again), 0);
        assert!(pool.share(&again).is_same(&first), "the whole list is shared");
        let other = pool.share(&list(&[("user.b", "1"), ("user.c", "2")]));
        assert!(Arc::ptr_eq(&other[0].name, &first[1].name), "a name is shared between lists");
        assert!(Arc::ptr_eq(&other[1].value, &first[1].value), "and so is a value");
        assert_eq!(pool.share(&Xattrs::new()), Xattrs::new());
    }

    #[test]
    fn memory_of_new_texts_alone_is_counted() {
        let mut pool = XattrPool::default();
        let long = "v".repeat(1000);
        let bytes = pool.missing_bytes(&list(&[("user.a", &long)]));
        assert!((1000..1300).contains(&bytes), "{bytes}");
        let _ = pool.share(&list(&[("user.a", &long)]));
        let bytes = pool.missing_bytes(&list(&[("user.a", &long), ("user.b", &long)]));
        assert!(bytes < 250, "the long value is there already: {bytes}");
    }
}
