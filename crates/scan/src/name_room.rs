use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nixdive_image::{XattrPool, Xattrs};

/// Room for the names, link targets, attributes and sparse maps of all layers of an image together. They stay in memory,
/// and little that is compressed can unpack to much of them. Equal attributes of several entries take room once.
#[derive(Debug, Clone)]
pub struct NameRoom(Arc<Room>);

#[derive(Debug)]
struct Room {
    left: AtomicU64,
    attributes: Mutex<XattrPool>,
}

impl Default for NameRoom {
    fn default() -> Self {
        Self::new(Self::USUAL)
    }
}

impl NameRoom {
    /// Usual limit, enough for ten million entries.
    pub const USUAL: u64 = 1 << 30;

    /// Creates room for `bytes` bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self(Arc::new(Room { left: AtomicU64::new(bytes), attributes: Mutex::default() }))
    }

    /// Takes some of the room; `false` when there is not enough left.
    #[must_use]
    pub fn take(&self, bytes: u64) -> bool {
        self.0.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }

    /// Replaces an entry's attributes by those shared by all entries; returns `false` if there is
    /// no room for new ones.
    #[must_use]
    pub fn share(&self, attributes: &mut Xattrs) -> bool {
        if attributes.is_empty() {
            return true;
        }
        let mut pool = self.0.attributes.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.take(pool.missing_bytes(attributes)) {
            return false;
        }
        *attributes = pool.share(attributes);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::NameRoom;
    use nixdive_image::{Xattr, Xattrs};

    #[test]
    fn clones_share_the_room() {
        let room = NameRoom::new(10);
        assert!(room.take(6));
        assert!(!room.clone().take(5));
        assert!(room.take(4));
    }

    #[test]
    fn equal_attributes_take_room_once() {
        let list = |value: &str| -> Xattrs {
            vec![Xattr { name: b"user.a".as_slice().into(), value: value.as_bytes().into() }].into()
        };
        let room = NameRoom::new(600);
        let long = "x".repeat(300);
        for _ in 0..1000 {
            assert!(room.share(&mut list(&long)));
        }
        assert!(!room.share(&mut list(&"y".repeat(300))), "another value needs room of its own");
        assert!(room.share(&mut Xattrs::new()));
    }
}
