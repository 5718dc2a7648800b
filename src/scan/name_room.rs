use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Room for the names, link targets, attributes and sparse maps of all layers of an image together. They stay in memory,
/// and little that is compressed can unpack to much of them.
#[derive(Debug, Clone)]
pub struct NameRoom(Arc<AtomicU64>);

impl Default for NameRoom {
    fn default() -> Self {
        Self::new(Self::USUAL)
    }
}

impl NameRoom {
    /// What ten million entries need.
    pub const USUAL: u64 = 1 << 30;

    /// Room for so many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(bytes)))
    }

    /// Takes some of the room; `false` when there is not enough left.
    #[must_use]
    pub fn take(&self, bytes: u64) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::NameRoom;

    #[test]
    fn clones_share_the_room() {
        let room = NameRoom::new(10);
        assert!(room.take(6));
        assert!(!room.clone().take(5));
        assert!(room.take(4));
    }
}
