//! Loads images into an engine: `POST /images/load` of the Docker Engine API, which podman implements too.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;

use super::{EngineClient, EngineError, MAX_MESSAGE_BYTES, PATIENCE};
use crate::http::{Address, Body, HttpError, Method, Request, Response};
use nixdive_image::Digest;
use nixdive_image::reference::Engine;

/// Time that an engine may be silent: podman says nothing until it has unpacked everything.
const PATIENCE_FOR_LOADING: Duration = Duration::from_secs(3600);
/// Maximum bytes of an engine's output while it loads.
const MAX_SAID_BYTES: u64 = 64 << 20;
/// Maximum bytes of a description of an image or of the engine.
const MAX_DOCUMENT_BYTES: u64 = 4 << 20;
/// Number of images that are searched for layers already present.
const MAX_COMPARED: usize = 300;
/// Docker's storage driver that accepts only complete archives, as `GET /info` names it.
const CONTAINERD_STORAGE: &str = "io.containerd.snapshotter";

/// An image of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineImage {
    /// Digest of its configuration; of its manifest if Docker uses containerd's image store.
    pub id: String,
    /// DiffIDs of its layers, base first.
    pub diff_ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    #[serde(default)]
    id: String,
    #[serde(rename = "RootFS", default)]
    root: Root,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Root {
    #[serde(default)]
    layers: Option<Vec<String>>,
}

/// The relevant fields of `GET /info`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    #[serde(default)]
    driver_status: Option<Vec<Vec<String>>>,
}

/// A line of an engine's output while it loads.
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    stream: Option<String>,
    #[serde(default)]
    status: Option<String>,
}

impl EngineClient {
    /// Loads a docker-archive, which is sent while it is read. Passes the engine's output to `said`. An engine that
    /// answers with success and then with an error has failed.
    ///
    /// # Errors
    /// [`EngineError`] if the archive cannot be read or the engine refuses it.
    pub fn load(&self, archive: Box<dyn Read + Send>, said: &mut dyn FnMut(&str)) -> Result<(), EngineError> {
        let log = Arc::new(Log::default());
        let reader = Logged { inner: archive, log: Arc::clone(&log) };
        let request = Request {
            headers: vec![("content-type", "application/x-tar".to_owned())],
            body: Body::Chunked(Box::new(reader)),
            ..Request::new(Method::Post, Address::new(false, "engine", "/images/load?quiet=0"))
        };
        let response = self.send(request, PATIENCE_FOR_LOADING);
        if let Some(reason) = log.failure() {
            return Err(EngineError::Reading(reason));
        }
        match response {
            Ok(response) if response.status == 200 => self.hear(response, &log, said),
            Ok(response) => Err(self.refusal(response)),
            Err(EngineError::Http { error: HttpError::Protocol { .. } | HttpError::Unreachable { .. }, .. }) => {
                Err(EngineError::Closed { engine: self.engine(), sent_bytes: log.sent() })
            }
            Err(error) => Err(error),
        }
    }

    fn refusal(&self, response: Response) -> EngineError {
        match self.failure("", response) {
            EngineError::Answer { engine, status, message } if message.is_empty() => {
                EngineError::Refused { engine, message: format!("status {status}") }
            }
            EngineError::Answer { engine, message, .. } => EngineError::Refused { engine, message },
            other => other,
        }
    }

    /// Reads the engine's output, one JSON object per line, up to its end.
    fn hear(&self, response: Response, log: &Log, said: &mut dyn FnMut(&str)) -> Result<(), EngineError> {
        let engine = self.engine();
        let mut lines = BufReader::new(response.body.take(MAX_SAID_BYTES));
        let mut has_loaded = false;
        loop {
            let mut line = Vec::new();
            let count = lines.by_ref().take(MAX_MESSAGE_BYTES).read_until(b'\n', &mut line);
            let count = count.map_err(|_| EngineError::Closed { engine, sent_bytes: log.sent() })?;
            if count == 0 {
                break;
            }
            let Ok(heard) = serde_json::from_slice::<Said>(&line) else { continue };
            if let Some(message) = heard.error {
                return Err(EngineError::Refused { engine, message });
            }
            has_loaded |= heard.stream.as_deref().is_some_and(|text| text.starts_with("Loaded image"));
            if let Some(text) = heard.stream.or(heard.status) {
                said(text.trim_end());
            }
        }
        if has_loaded { Ok(()) } else { Err(EngineError::Closed { engine, sent_bytes: log.sent() }) }
    }

    /// Returns an image of the engine by name or ID.
    ///
    /// # Errors
    /// [`EngineError`] if the engine does not answer as expected.
    pub fn image(&self, name: &str) -> Result<Option<EngineImage>, EngineError> {
        match self.document::<Described>(&format!("/images/{name}/json"), name) {
            Ok(described) => {
                Ok(Some(EngineImage { id: described.id, diff_ids: described.root.layers.unwrap_or_default() }))
            }
            Err(EngineError::NoSuchImage { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns how many of the first layers of an image Docker already has as layers of other images. Those can be left
    /// out of an archive, since Docker looks up each layer by its chain ID before it opens its file (moby,
    /// `image/tarexport/load.go`). Returns 0 if the engine needs complete archives: podman, and Docker with
    /// containerd's image store.
    #[must_use]
    pub fn layers_there(&self, diff_ids: &[Digest]) -> usize {
        if self.engine() != Engine::Docker || !self.takes_part_of_archives() {
            return 0;
        }
        let images = self.images().unwrap_or_default();
        let described = images.iter().take(MAX_COMPARED).filter_map(|image| self.image(&image.id).ok().flatten());
        let shared = |image: EngineImage| {
            let pairs = image.diff_ids.iter().zip(diff_ids);
            pairs.take_while(|(there, wanted)| there.as_str() == wanted.as_str()).count()
        };
        described.map(shared).max().unwrap_or(0)
    }

    fn takes_part_of_archives(&self) -> bool {
        // An engine with Docker's API may be podman.
        let is_podman = |response: &Response| response.header("libpod-api-version").is_some();
        let is_docker =
            self.get("/_ping", PATIENCE).is_ok_and(|response| response.status == 200 && !is_podman(&response));
        let info = || self.document::<Info>("/info", "").ok();
        let has_own_storage = |info: Info| {
            let mut texts = info.driver_status.iter().flatten().flatten();
            !texts.any(|text| text.starts_with(CONTAINERD_STORAGE))
        };
        is_docker && info().is_some_and(has_own_storage)
    }

    fn document<T: for<'de> Deserialize<'de>>(&self, target: &str, image: &str) -> Result<T, EngineError> {
        let response = self.get(target, PATIENCE)?;
        if response.status != 200 {
            return Err(self.failure(image, response));
        }
        let unclear = |message: String| EngineError::Answer { engine: self.engine(), status: 200, message };
        let bytes = response.bytes(MAX_DOCUMENT_BYTES).map_err(|error| unclear(error.to_string()))?;
        let bytes = bytes.ok_or_else(|| unclear("the answer is too long".to_owned()))?;
        serde_json::from_slice(&bytes).map_err(|error| unclear(error.to_string()))
    }
}

/// State of an archive that is being sent.
#[derive(Default)]
struct Log {
    sent_bytes: AtomicU64,
    failure: Mutex<Option<String>>,
}

impl Log {
    fn sent(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }

    fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

struct Logged {
    inner: Box<dyn Read + Send>,
    log: Arc<Log>,
}

impl Read for Logged {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.inner.read(buffer);
        match &result {
            Ok(count) => {
                self.log.sent_bytes.fetch_add(*count as u64, Ordering::Relaxed);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                *self.log.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            }
        }
        result
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
