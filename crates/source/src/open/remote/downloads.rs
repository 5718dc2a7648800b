use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Arriving, Remote};
use crate::cache::Cache;
use crate::registry::{RegistryError, Repository};
use nixdive_base::cancel::Cancel;

/// Number of layers fetched at the same time, similar to Docker and podman.
const AT_ONCE: usize = 4;

/// The downloads of one image.
pub(super) struct Downloads {
    pub repository: Repository,
    pub cache: Option<Cache>,
    pub offline: bool,
    pub cancel: Cancel,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Arc<Arriving>>,
    workers: usize,
    failure: Option<RegistryError>,
}

impl Downloads {
    pub fn new(repository: Repository, remote: &Remote, cancel: Cancel) -> Self {
        let (cache, offline) = (remote.cache.clone(), remote.offline);
        Self { repository, cache, offline, cancel, queue: Mutex::default() }
    }

    /// Returns the first error.
    pub fn failure(&self) -> Option<RegistryError> {
        self.queue().failure.clone()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a blob for download.
    pub fn enqueue(self: &Arc<Self>, blob: Arc<Arriving>) {
        let mut queue = self.queue();
        queue.waiting.push_back(blob);
        if queue.workers >= AT_ONCE {
            return;
        }
        let downloads = Arc::clone(self);
        match std::thread::Builder::new().name("download".into()).spawn(move || downloads.work()) {
            Ok(_) => queue.workers += 1,
            // The running workers will fetch it; without any, it is fetched here.
            Err(_) if queue.workers > 0 => {}
            Err(_) => {
                queue.workers += 1;
                drop(queue);
                self.work();
            }
        }
    }

    fn work(&self) {
        loop {
            let next = {
                let mut queue = self.queue();
                let next = queue.waiting.pop_front();
                if next.is_none() {
                    queue.workers -= 1;
                }
                next
            };
            let Some(blob) = next else { return };
            if let Err(error) = blob.fetch() {
                self.queue().failure.get_or_insert(error);
            }
        }
    }
}
