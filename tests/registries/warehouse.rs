//! A registry in memory that can be written to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::server::{Reply, Seen};
use super::support::images::digest;

#[derive(Default)]
struct State {
    blobs: HashMap<(String, String), Vec<u8>>,
    manifests: HashMap<(String, String), (String, Vec<u8>)>,
    sessions: HashMap<String, Vec<u8>>,
    begun: usize,
}

/// Any repository of it can be pushed to and pulled from.
#[derive(Clone, Default)]
pub struct Warehouse(Arc<Mutex<State>>);

impl Warehouse {
    pub fn manifest(&self, repository: &str, reference: &str) -> Option<Vec<u8>> {
        let key = (repository.to_owned(), reference.to_owned());
        self.0.lock().unwrap().manifests.get(&key).map(|(_, bytes)| bytes.clone())
    }

    /// The layers that the manifest of a tag names, each with its bytes.
    pub fn layers(&self, repository: &str, tag: &str) -> Vec<Vec<u8>> {
        let manifest: serde_json::Value = serde_json::from_slice(&self.manifest(repository, tag).unwrap()).unwrap();
        let layers = manifest["layers"].as_array().unwrap();
        let key = |layer: &serde_json::Value| (repository.to_owned(), layer["digest"].as_str().unwrap().to_owned());
        let state = self.0.lock().unwrap();
        layers.iter().map(|layer| state.blobs[&key(layer)].clone()).collect()
    }

    /// What a good registry answers (OCI distribution specification).
    pub fn answer(&self, seen: &Seen) -> Reply {
        let mut state = self.0.lock().unwrap();
        let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
        let Some(path) = path.strip_prefix("/v2/") else { return Reply::new(404, "{}") };
        for (middle, kind) in [("/blobs/uploads/", 'u'), ("/blobs/", 'b'), ("/manifests/", 'm'), ("/tags/", 't')] {
            let Some((repository, rest)) = path.split_once(middle) else { continue };
            return match kind {
                'u' => state.upload(seen, repository, rest, query),
                'b' => state.blob(repository, rest),
                'm' => state.document(seen, repository, rest),
                _ => state.tags(repository),
            };
        }
        Reply::new(404, "{}")
    }
}

impl State {
    fn blob(&self, repository: &str, digest: &str) -> Reply {
        match self.blobs.get(&(repository.to_owned(), digest.to_owned())) {
            Some(bytes) => Reply::new(200, bytes.clone()),
            None => Reply::new(404, r#"{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown"}]}"#),
        }
    }

    fn tags(&self, repository: &str) -> Reply {
        let tags: Vec<&String> = self
            .manifests
            .keys()
            .filter(|(known, reference)| known == repository && !reference.contains(':'))
            .map(|(_, reference)| reference)
            .collect();
        Reply::new(200, serde_json::json!({"name": repository, "tags": tags}).to_string())
    }

    fn document(&mut self, seen: &Seen, repository: &str, reference: &str) -> Reply {
        let key = |reference: &str| (repository.to_owned(), reference.to_owned());
        if seen.method != "PUT" {
            let Some((media_type, bytes)) = self.manifests.get(&key(reference)) else {
                return Reply::new(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#);
            };
            let reply = Reply::new(200, bytes.clone()).with("content-type", media_type.clone());
            return reply.with("docker-content-digest", digest(bytes));
        }
        let manifest: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
        let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
        let named = layers.iter().chain(manifest.get("config")).filter_map(|one| one["digest"].as_str());
        if let Some(missing) = named.into_iter().find(|&digest| !self.blobs.contains_key(&key(digest))) {
            let error = serde_json::json!({"code": "MANIFEST_BLOB_UNKNOWN", "message": missing});
            return Reply::new(404, serde_json::json!({"errors": [error]}).to_string());
        }
        let own = digest(&seen.body);
        let kept = (seen.header("content-type").unwrap_or_default().to_owned(), seen.body.clone());
        self.manifests.insert(key(reference), kept.clone());
        self.manifests.insert(key(&own), kept);
        Reply::new(201, "").with("docker-content-digest", own)
    }

    fn upload(&mut self, seen: &Seen, repository: &str, session: &str, query: &str) -> Reply {
        let parameter = |name: &str| {
            let found = query.split('&').filter_map(|one| one.split_once('=')).find(|(known, _)| *known == name);
            found.map(|(_, value)| value.replace("%3A", ":").replace("%2F", "/"))
        };
        let location = |session: &str| format!("/v2/{repository}/blobs/uploads/{session}?state=kept");
        match seen.method.as_str() {
            "POST" => {
                if let (Some(digest), Some(from)) = (parameter("mount"), parameter("from"))
                    && let Some(bytes) = self.blobs.get(&(from, digest.clone())).cloned()
                {
                    self.blobs.insert((repository.to_owned(), digest), bytes);
                    return Reply::new(201, "");
                }
                self.begun += 1;
                let session = format!("session-{}", self.begun);
                self.sessions.insert(session.clone(), Vec::new());
                Reply::new(202, "").with("location", location(&session)).with("range", "0-0")
            }
            "GET" => match self.sessions.get(session) {
                Some(bytes) => {
                    let last = bytes.len().saturating_sub(1);
                    Reply::new(204, "").with("range", format!("0-{last}")).with("location", location(session))
                }
                None => Reply::new(404, ""),
            },
            _ => {
                assert_eq!(parameter("state").as_deref(), Some("kept"), "the query of a location is to be kept");
                let Some(bytes) = self.sessions.get_mut(session) else { return Reply::new(404, "") };
                let start = seen.header("content-range").and_then(|range| range.split('-').next()?.parse().ok());
                if start.unwrap_or(bytes.len()) != bytes.len() {
                    return Reply::new(416, "");
                }
                bytes.extend(&seen.body);
                let last = bytes.len().saturating_sub(1);
                if seen.method == "PATCH" || seen.header("x-cut").is_some() {
                    return Reply::new(202, "").with("location", location(session)).with("range", format!("0-{last}"));
                }
                let bytes = self.sessions.remove(session).unwrap();
                let stated = parameter("digest").unwrap();
                if digest(&bytes) != stated {
                    let error = serde_json::json!({"code": "DIGEST_INVALID", "message": "digest did not match"});
                    return Reply::new(400, serde_json::json!({"errors": [error]}).to_string());
                }
                self.blobs.insert((repository.to_owned(), stated), bytes);
                Reply::new(201, "")
            }
        }
    }
}
