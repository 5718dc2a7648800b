//! Container engines on this machine, through the HTTP API that Docker and podman serve on a socket. Their programs are
//! not run.

mod containerd;
mod load;
mod sockets;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::http::{Address, Http, HttpError, HttpOptions, Method, Request, Response};
use nixdive_image::reference::Engine;

pub(crate) use containerd::bolt;
pub use containerd::{ContainerdImage, ContentStore};
pub use load::EngineImage;
pub use sockets::{EngineEnvironment, Socket, sockets};

/// Maximum bytes of a list of images.
const MAX_LIST_BYTES: u64 = 16 << 20;
/// Maximum bytes of a message.
const MAX_MESSAGE_BYTES: u64 = 64 << 10;
/// Time that an engine may take to answer a question about an image.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time that it may take before the first bytes of an image arrive: it assembles the layers first.
const PATIENCE_FOR_IMAGES: Duration = Duration::from_secs(300);

/// Reason why an engine does not provide an image.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// No socket was found.
    #[error("cannot reach {}: no {} at {}", name(*.engine), if *.engine == Engine::Containerd { "directory" } else { "socket" }, list(.tried))]
    NotThere {
        /// The engine.
        engine: Engine,
        /// Paths that were tried.
        tried: Vec<PathBuf>,
    },
    /// containerd's directory is not readable.
    #[error("{}: permission denied: reading containerd's images requires root", shown_path(.path))]
    NotReadable {
        /// The directory.
        path: PathBuf,
    },
    /// containerd's database of names cannot be read.
    #[error("{}: {reason}", shown_path(.path))]
    Database {
        /// Path of the database.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// Several namespaces of containerd have different images with the same name.
    #[error(
        "`{}`: containerd's namespaces {first} and {second} have different images of this name; set CONTAINERD_NAMESPACE to one of them",
        nixdive_base::text::display_in_sentence(image)
    )]
    Namespaces {
        /// The requested name.
        image: String,
        /// The first namespace.
        first: String,
        /// The second namespace.
        second: String,
    },
    /// The connection to the engine failed.
    #[error("{}: {error}", shown_path(.socket))]
    Http {
        /// Path of the socket.
        socket: PathBuf,
        /// The error.
        error: HttpError,
    },
    /// The engine has no such image.
    #[error("{} has no image `{}`", name(*.engine), nixdive_base::text::display_in_sentence(image))]
    NoSuchImage {
        /// The engine.
        engine: Engine,
        /// The requested name.
        image: String,
    },
    /// The engine rejects an image.
    #[error("{} rejected the image: {}", name(*.engine), nixdive_base::text::display_in_sentence(message))]
    Refused {
        /// The engine.
        engine: Engine,
        /// Its message.
        message: String,
    },
    /// The engine closed the connection before it confirmed the image.
    #[error("{} closed the connection without a reason after {sent_bytes} bytes of the image; see its log", name(*.engine))]
    Closed {
        /// The engine.
        engine: Engine,
        /// Bytes of the archive that were sent.
        sent_bytes: u64,
    },
    /// The image could not be read to its end; the engine has stored nothing.
    #[error("{}", nixdive_base::text::display_in_sentence(.0))]
    Reading(String),
    /// The engine answers with an error.
    #[error("{} answers {status}: {}", name(*.engine), nixdive_base::text::display_in_sentence(message))]
    Answer {
        /// The engine.
        engine: Engine,
        /// Status code (RFC 9110, section 15).
        status: u16,
        /// Its message.
        message: String,
    },
}

/// Returns the usual name of an engine.
#[must_use]
pub fn name(engine: Engine) -> &'static str {
    match engine {
        Engine::Docker => "Docker",
        Engine::Podman => "podman",
        Engine::Containerd => "containerd",
    }
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| shown_path(path)).collect();
    paths.join(" or ")
}

fn shown_path(path: &Path) -> String {
    nixdive_base::text::display_in_sentence(&path.display().to_string())
}

/// An image in the list of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalImage {
    /// Digest of its configuration.
    pub id: String,
    /// Its names with tags; empty for an untagged image.
    pub names: Vec<String>,
    /// Unpacked bytes of its layers, as the engine counts them.
    pub unpacked_bytes: u64,
    /// Time of creation, in seconds since 1970.
    pub created: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    #[serde(default)]
    id: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    size: i64,
    #[serde(default)]
    created: i64,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    message: String,
}

/// Connection to a running engine.
pub struct EngineClient {
    socket: Socket,
    options: HttpOptions,
}

impl EngineClient {
    /// Connects to the first existing socket of the engine.
    ///
    /// # Errors
    /// [`EngineError::NotThere`] if no socket exists.
    pub fn find(engine: Engine, environment: &EngineEnvironment, options: &HttpOptions) -> Result<Self, EngineError> {
        let sockets = sockets(engine, environment);
        let tried = || sockets.iter().map(|socket| socket.path.clone()).collect();
        let there = sockets.iter().find(|socket| std::os::unix::net::UnixStream::connect(&socket.path).is_ok());
        let socket = there.cloned().ok_or_else(|| EngineError::NotThere { engine, tried: tried() })?;
        Ok(Self { socket, options: options.clone() })
    }

    /// Returns the engine.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.socket.engine
    }

    fn get(&self, target: &str, silence: Duration) -> Result<Response, EngineError> {
        self.send(Request::new(Method::Get, Address::new(false, "engine", target)), silence)
    }

    /// The host in the address does not matter: the socket always leads to the engine.
    fn send(&self, request: Request, silence: Duration) -> Result<Response, EngineError> {
        let failed = |error| EngineError::Http { socket: self.socket.path.clone(), error };
        let unreachable = |error: std::io::Error| {
            failed(HttpError::Unreachable { host: "the socket".to_owned(), reason: error.to_string() })
        };
        let options = HttpOptions { silence, ..self.options.clone() };
        let http = Http::over_socket(&self.socket.path, options).map_err(unreachable)?;
        http.send(request).map_err(failed)
    }

    fn failure(&self, image: &str, response: Response) -> EngineError {
        let (engine, status) = (self.engine(), response.status);
        if status == 404 {
            return EngineError::NoSuchImage { engine, image: image.to_owned() };
        }
        let bytes = response.bytes(MAX_MESSAGE_BYTES).ok().flatten().unwrap_or_default();
        let message = serde_json::from_slice(&bytes).map(|said: Message| said.message).unwrap_or_default();
        EngineError::Answer { engine, status, message }
    }

    /// Returns the images of the engine.
    ///
    /// # Errors
    /// [`EngineError`] if the engine does not answer as expected.
    pub fn images(&self) -> Result<Vec<LocalImage>, EngineError> {
        let response = self.get("/images/json", PATIENCE)?;
        if response.status != 200 {
            return Err(self.failure("", response));
        }
        let unclear = |message: String| EngineError::Answer { engine: self.engine(), status: 200, message };
        let bytes = response.bytes(MAX_LIST_BYTES).map_err(|error| unclear(error.to_string()))?;
        let bytes = bytes.ok_or_else(|| unclear("the list of images is too long".to_owned()))?;
        let listed: Vec<Listed> = serde_json::from_slice(&bytes).map_err(|error| unclear(error.to_string()))?;
        let image = |listed: Listed| LocalImage {
            id: listed.id,
            names: listed.repo_tags.unwrap_or_default().into_iter().filter(|name| !name.contains("<none>")).collect(),
            unpacked_bytes: u64::try_from(listed.size).unwrap_or_default(),
            created: listed.created,
        };
        Ok(listed.into_iter().map(image).collect())
    }

    /// Returns `true` if the engine has an image of that name.
    #[must_use]
    pub fn has(&self, image: &str) -> bool {
        self.get(&format!("/images/{image}/json"), PATIENCE).is_ok_and(|response| response.status == 200)
    }

    /// Returns an image as a docker-archive, streamed from the engine.
    ///
    /// # Errors
    /// [`EngineError`] if the engine does not have the image or does not answer.
    pub fn archive(&self, image: &str) -> Result<Box<dyn Read + Send>, EngineError> {
        let response = self.get(&format!("/images/{image}/get"), PATIENCE_FOR_IMAGES)?;
        if response.status == 200 { Ok(response.body) } else { Err(self.failure(image, response)) }
    }
}

#[cfg(test)]
mod tests;
