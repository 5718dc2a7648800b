//! A registry in memory, and ways to open what it has.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use nixdive::cache::Cache;
use nixdive::cancel::Cancel;
use nixdive::http::{Clock, HttpOptions};
use nixdive::open::{Keep, OpenOptions, Remote};
use nixdive::registry::{Environment, Settings};

use super::server::{Reply, Seen};
use super::support::images::{Image, OCI_INDEX, OCI_MANIFEST, digest, manifest_blobs, sample_layers};
use super::support::program::{OpenResult, open_with};
use super::support::{compress, images};

/// Manifests and blobs by the path that they are asked for under.
#[derive(Clone, Default)]
pub struct Shop {
    documents: HashMap<String, (String, Vec<u8>)>,
    tags: Vec<String>,
}

pub const REPOSITORY: &str = "/v2/team/app/";

impl Shop {
    /// With a gzipped sample image as `team/app:1`.
    pub fn sample() -> (Self, Image) {
        let image = Image::stored_of(sample_layers(), compress::gzip);
        let mut shop = Self::default();
        shop.add(&image, "1");
        (shop, image)
    }

    pub fn add(&mut self, image: &Image, tag: &str) {
        let (manifest, blobs) = manifest_blobs(image);
        for (name, bytes) in blobs {
            let path = name.replace("blobs/sha256/", "blobs/sha256:");
            self.put(&path, "application/octet-stream", bytes);
        }
        self.put_manifest(tag, OCI_MANIFEST, manifest);
    }

    pub fn put_manifest(&mut self, tag: &str, media_type: &str, bytes: Vec<u8>) {
        self.put(&format!("manifests/{}", digest(&bytes)), media_type, bytes.clone());
        if !tag.is_empty() {
            self.put(&format!("manifests/{tag}"), media_type, bytes);
            self.tags.push(tag.to_owned());
        }
    }

    pub fn put_index(&mut self, tag: &str, entries: &[serde_json::Value]) {
        self.put_manifest(tag, OCI_INDEX, images::index(entries));
    }

    pub fn put(&mut self, path: &str, media_type: &str, bytes: Vec<u8>) {
        self.documents.insert(path.to_owned(), (media_type.to_owned(), bytes));
    }

    pub fn bytes(&self, path: &str) -> Vec<u8> {
        self.documents[path].1.clone()
    }

    /// What a good registry answers.
    pub fn answer(&self, seen: &Seen) -> Reply {
        let Some(path) = seen.target.strip_prefix(REPOSITORY) else { return Reply::new(404, "{}") };
        if path.starts_with("tags/list") {
            return Reply::new(200, serde_json::json!({"name": "team/app", "tags": self.tags}).to_string());
        }
        let Some((media_type, bytes)) = self.documents.get(path) else {
            let body = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
            return Reply::new(404, body);
        };
        let range = seen.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let reply = match range {
            Some((start, last)) => {
                let start: usize = start.parse().unwrap();
                let last = last.parse().unwrap_or(usize::MAX).min(bytes.len() - 1);
                let range = format!("bytes {start}-{last}/{}", bytes.len());
                Reply::new(206, &bytes[start..=last]).with("content-range", range)
            }
            None => Reply::new(200, bytes.clone()),
        };
        reply.with("content-type", media_type).with("docker-content-digest", digest(bytes))
    }
}

/// A clock that does not wait, and notes for how long it should have.
#[derive(Debug, Default, Clone)]
pub struct Waits(Arc<Mutex<Vec<Duration>>>);

impl Waits {
    pub fn seconds(&self) -> Vec<u64> {
        self.0.lock().unwrap().iter().map(|wait| wait.as_secs()).collect()
    }
}

impl Clock for Waits {
    fn now(&self) -> SystemTime {
        // Sun, 06 Nov 1994 08:49:37 GMT
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
    }

    fn wait(&self, duration: Duration, cancel: &Cancel) -> std::io::Result<()> {
        self.0.lock().unwrap().push(duration);
        cancel.check()
    }
}

/// How a test opens an image: with the files of a place of its own, a clock that does not wait, and little patience.
pub struct Customer {
    pub place: tempfile::TempDir,
    pub waits: Waits,
    pub remote: Remote,
}

impl Customer {
    pub fn new() -> Self {
        let place = super::support::program::scratch();
        let waits = Waits::default();
        let environment = Environment {
            home: Some(place.path().join("home")),
            config: Some(place.path().join("config")),
            system: place.path().join("etc"),
            path: std::env::var_os("PATH"),
            ..Environment::default()
        };
        let http = HttpOptions {
            connect: Duration::from_secs(5),
            silence: Duration::from_millis(400),
            clock: Arc::new(waits.clone()),
            ..HttpOptions::default()
        };
        let settings = Settings { environment, ..Settings::default() };
        Self { place, waits, remote: Remote { settings, http, ..Remote::default() } }
    }

    pub fn with_cache(mut self) -> Self {
        self.remote.cache = Some(Cache::new(&self.place.path().join("cache"), 1 << 30));
        self
    }

    pub fn options(&self) -> OpenOptions {
        OpenOptions { keep: Keep::Content, remote: self.remote.clone(), ..OpenOptions::default() }
    }

    pub fn open(&self, host: &str, image: &str) -> OpenResult {
        open_with(format!("docker://{host}/{image}"), self.options())
    }

    /// What is wrong.
    pub fn refused(&self, host: &str, image: &str) -> String {
        self.open(host, image).expect_err("it should not open").to_string()
    }

    pub fn write(&self, path: &str, text: &str) -> std::path::PathBuf {
        let path: &Path = &self.place.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        path.to_owned()
    }
}
