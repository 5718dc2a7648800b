use std::io::{self, Read};

use super::repository::{Call, Target};
use super::{RegistryError, Repository, Verifier};
use crate::http::{Address, Body, HttpError, Method, Request, Response};
use nixdive_image::Digest;

/// Number of times that a download is resumed if few bytes arrive in between.
const MAX_STALLED: u32 = 4;
/// The same for a server that sends nothing, as each attempt takes the maximum silence.
const MAX_SILENT: u32 = 2;
/// Bytes that count as progress; the last bytes of a blob always do.
const PROGRESS_BYTES: u64 = 64 << 10;

/// Reads a blob from a registry: resumes broken downloads, and verifies length and digest before it returns the last
/// bytes.
pub struct BlobReader {
    repository: Repository,
    digest: Digest,
    length: u64,
    urls: Vec<String>,
    position: u64,
    body: Option<Box<dyn Read + Send>>,
    verifier: Option<Verifier>,
    stalled: u32,
    silent: u32,
    /// Position at which the connection last broke.
    broken_at: u64,
}

impl Repository {
    /// Reads a blob of `length` bytes. `urls` are used if the registry does not have it.
    #[must_use]
    pub fn blob(&self, digest: &Digest, length: u64, urls: &[String]) -> BlobReader {
        BlobReader {
            repository: self.clone(),
            digest: digest.clone(),
            length,
            urls: urls.to_vec(),
            position: 0,
            body: None,
            verifier: Some(Verifier::new(digest)),
            stalled: 0,
            silent: 0,
            broken_at: 0,
        }
    }

    /// Reads a small blob completely and verifies its digest.
    ///
    /// # Errors
    /// [`RegistryError`] if it cannot be fetched, does not match its digest or has more than `most` bytes.
    pub fn small_blob(&self, digest: &Digest, most: u64) -> Result<Vec<u8>, RegistryError> {
        let what = format!("the blob {digest}");
        let path = format!("blobs/{digest}");
        let mut tries = 0;
        loop {
            let response = self.read(&self.blob_call(&path, None, digest))?;
            let host = response.address.host().to_owned();
            match response.bytes(most) {
                Ok(Some(bytes)) => {
                    let stated = digest.clone();
                    return match Verifier::of(digest, &bytes) {
                        Some(actual) if actual == stated => Ok(bytes),
                        Some(actual) => Err(RegistryError::Digest { host, what, stated, actual }),
                        None => Err(RegistryError::Content { host, what, reason: unverifiable(digest) }),
                    };
                }
                Ok(None) => return Err(RegistryError::TooLong { host, what, most }),
                Err(error) if tries >= MAX_STALLED || error.kind() == io::ErrorKind::TimedOut => {
                    return Err(RegistryError::Content { host, what, reason: error.to_string() });
                }
                Err(_) => tries += 1,
            }
        }
    }

    /// Returns `true` if a blob can be read from the registry, or from one of `urls` if those may be fetched. Returns
    /// `false` if the registry does not have it or denies access, and no URL serves it.
    ///
    /// # Errors
    /// [`RegistryError`] for every other answer.
    pub fn serves_blob(&self, digest: &Digest, length: u64, urls: &[String]) -> Result<bool, RegistryError> {
        match self.blob(digest, length, urls).open() {
            Ok(_) => Ok(true),
            Err(RegistryError::NotFound { .. } | RegistryError::Denied { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Fetches `length` bytes of a blob from an offset. Parts of a blob cannot be verified against its digest.
    ///
    /// # Errors
    /// [`RegistryError`] if it cannot be fetched, or the registry sends the whole blob or another part.
    pub fn blob_part(&self, digest: &Digest, offset: u64, length: u64) -> Result<Vec<u8>, RegistryError> {
        let path = format!("blobs/{digest}");
        let last = offset.saturating_add(length).saturating_sub(1);
        let response = self.read(&self.blob_call(&path, Some(format!("bytes={offset}-{last}")), digest))?;
        let host = response.address.host().to_owned();
        let content =
            |reason: String| RegistryError::Content { host: host.clone(), what: format!("the blob {digest}"), reason };
        let range = response.header("content-range").unwrap_or_default().to_owned();
        if response.status != 206 || !range.starts_with(&format!("bytes {offset}-{last}/")) {
            return Err(content(format!("bytes {offset} to {last} requested, `{range}` received")));
        }
        let bytes = response.bytes(length).map_err(|error| content(error.to_string()))?;
        bytes
            .filter(|bytes| bytes.len() as u64 == length)
            .ok_or_else(|| content("part has the wrong length".to_owned()))
    }

    fn blob_call<'a>(&self, path: &'a str, range: Option<String>, digest: &Digest) -> Call<'a> {
        Call {
            method: Method::Get,
            target: Target::Path(path),
            headers: range.map(|range| ("range", range)).into_iter().collect(),
            body: &|| Body::None,
            actions: "pull",
            what: format!("the blob {digest} of {}", self.name().repository()),
        }
    }
}

/// Returns the error of a registry inside an error of a reader.
#[must_use]
pub fn carried(error: &io::Error) -> Option<RegistryError> {
    error.get_ref()?.downcast_ref::<RegistryError>().cloned()
}

/// Returns `true` if the connection is open, but nothing arrives.
fn is_silence(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut
}

/// Returns the reason why bytes cannot be verified against a digest.
fn unverifiable(digest: &Digest) -> String {
    format!("cannot be verified: {} is not supported", digest.algorithm())
}

/// Returns the addresses that a layer may be fetched from: for an image from an https registry, only https addresses.
fn fetchable(urls: &[String], is_secure: bool) -> impl Iterator<Item = Address> {
    urls.iter().filter_map(|url| Address::parse(url)).filter(move |address| address.is_secure() || !is_secure)
}

fn carrying(error: RegistryError) -> io::Error {
    io::Error::other(error)
}

impl BlobReader {
    fn content(&self, reason: String) -> RegistryError {
        RegistryError::Content {
            host: self.repository.host().to_owned(),
            what: format!("the blob {}", self.digest),
            reason,
        }
    }

    /// Requests the missing bytes.
    fn open(&self) -> Result<Box<dyn Read + Send>, RegistryError> {
        let path = format!("blobs/{}", self.digest);
        let range = (self.position > 0).then(|| format!("bytes={}-", self.position));
        let result = self.repository.read(&self.repository.blob_call(&path, range.clone(), &self.digest));
        let response = match result {
            Err(error @ (RegistryError::NotFound { .. } | RegistryError::Denied { .. })) if !self.urls.is_empty() => {
                if !self.repository.registries().may_fetch_foreign_urls() {
                    return Err(error.with_foreign_urls());
                }
                self.open_elsewhere(range.as_deref()).ok_or(error)?
            }
            other => other?,
        };
        self.check(response)
    }

    /// Requests the bytes from one of the addresses in the manifest, without credentials; plain http is not used for an
    /// image from an https registry.
    fn open_elsewhere(&self, range: Option<&str>) -> Option<Response> {
        let registries = self.repository.registries();
        fetchable(&self.urls, self.repository.is_secure()).find_map(|mut address| {
            for _ in 0..10 {
                let http = registries.way(&address, false).ok()?;
                let mut request = Request::new(Method::Get, address.clone());
                request.headers = range.map(|range| ("range", range.to_owned())).into_iter().collect();
                let response = http.send(request).ok()?;
                match (response.status, response.header("location")) {
                    (200 | 206, _) => return Some(response),
                    (300..400, Some(location)) => address = address.join_protected(location)?,
                    _ => return None,
                }
            }
            None
        })
    }

    /// Checks that an answer contains the requested bytes: from the position on, or the whole blob.
    fn check(&self, response: Response) -> Result<Box<dyn Read + Send>, RegistryError> {
        let left = self.length.saturating_sub(self.position);
        if response.status == 206 {
            let range = response.header("content-range").unwrap_or_default();
            let start =
                range.strip_prefix("bytes ").and_then(|rest| rest.split(['-', '/']).next()?.parse::<u64>().ok());
            if start != Some(self.position) {
                return Err(self.content(format!("bytes from {} requested, `{range}` received", self.position)));
            }
            return Ok(response.body);
        }
        let expected = if self.position > 0 { self.length } else { left };
        if let Some(length) = response.content_length.filter(|&length| length != expected) {
            return Err(self.content(format!("the manifest gives {expected} bytes, the registry sends {length}")));
        }
        let mut body = response.body;
        // The server restarted from the beginning: skip the bytes that are already known.
        let known = self.position;
        let passed = io::copy(&mut body.by_ref().take(known), &mut io::sink());
        match passed {
            Ok(passed) if passed == known => Ok(body),
            _ => Err(self.content("ends too early".to_owned())),
        }
    }

    /// Returns `true` if a broken download should be resumed.
    fn take_up(&mut self, is_silence: bool) -> bool {
        self.body = None;
        if self.position.saturating_sub(self.broken_at) >= PROGRESS_BYTES {
            (self.stalled, self.silent) = (0, 0);
        }
        self.broken_at = self.position;
        self.stalled += 1;
        self.silent += u32::from(is_silence);
        let options = self.repository.registries().options();
        if options.cancel.is_cancelled() || self.stalled > MAX_STALLED || self.silent > MAX_SILENT {
            return false;
        }
        let wait = options.patience.first_wait.saturating_mul(self.stalled - 1);
        options.clock.wait(wait, &options.cancel).is_ok()
    }

    fn end(&mut self) -> io::Result<usize> {
        let Some(verifier) = self.verifier.take() else { return Ok(0) };
        let Some(actual) = verifier.finish() else { return Err(carrying(self.content(unverifiable(&self.digest)))) };
        if actual == self.digest {
            return Ok(0);
        }
        let (host, what) = (self.repository.host().to_owned(), "a blob".to_owned());
        Err(carrying(RegistryError::Digest { host, what, stated: self.digest.clone(), actual }))
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.position);
        if left == 0 || buffer.is_empty() {
            return if left == 0 { self.end() } else { Ok(0) };
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        loop {
            let body = match &mut self.body {
                Some(body) => body,
                None => match self.open() {
                    Ok(opened) => self.body.insert(opened),
                    // The server answered a moment ago.
                    Err(RegistryError::Http(HttpError::Silent { .. } | HttpError::Unreachable { .. }))
                        if self.position > 0 && self.take_up(true) =>
                    {
                        continue;
                    }
                    Err(error) => return Err(carrying(error)),
                },
            };
            let result = match body.read(buffer.get_mut(..most).unwrap_or_default()) {
                Ok(0) => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                other => other,
            };
            match result {
                Ok(count) => {
                    self.position += count as u64;
                    if let (Some(verifier), Some(bytes)) = (&mut self.verifier, buffer.get(..count)) {
                        verifier.update(bytes);
                    }
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    if self.take_up(is_silence(&error)) {
                        continue;
                    }
                    if self.repository.registries().options().cancel.is_cancelled() {
                        return Err(carrying(HttpError::Cancelled.into()));
                    }
                    let why = if error.kind() == io::ErrorKind::UnexpectedEof {
                        format!("ends after {} of {} bytes", self.position, self.length)
                    } else {
                        format!("{error} after {} of {} bytes", self.position, self.length)
                    };
                    return Err(carrying(self.content(why)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_of_an_image_from_https_are_not_fetched_by_http() {
        let urls = ["http://a.example/x", "https://b.example/y", "ftp://c.example/z", "/etc/passwd"].map(str::to_owned);
        let of = |is_secure| fetchable(&urls, is_secure).map(|address| address.url()).collect::<Vec<_>>();
        assert_eq!(of(true), ["https://b.example/y"]);
        assert_eq!(of(false), ["http://a.example/x", "https://b.example/y"]);
    }
}
