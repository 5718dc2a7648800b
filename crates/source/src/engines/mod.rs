//! Engines that run containers on this machine, by the HTTP API that Docker and podman speak over a socket. No program of
//! theirs is called.

mod containerd;
mod load;
mod sockets;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::http::{Address, Http, HttpError, HttpOptions, Method, Request, Response};
use nixdive_image::reference::Engine;

pub use containerd::{ContainerdImage, ContentStore};
pub use load::EngineImage;
pub use sockets::{EngineEnvironment, Socket, sockets};

/// Bytes that a list of images may have.
const MAX_LIST_BYTES: u64 = 16 << 20;
/// Bytes that a message may have.
const MAX_MESSAGE_BYTES: u64 = 64 << 10;
/// How long an engine may take to answer a question about an image.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take until the first bytes of an image come: it puts layers together first.
const PATIENCE_FOR_IMAGES: Duration = Duration::from_secs(300);

/// Why an engine gives no image.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// No socket is there.
    #[error("no {} {} {}", name(*.engine), if *.engine == Engine::Containerd { "is on this machine; its directory would be" } else { "answers on this machine; its socket would be" }, list(.tried))]
    NotThere {
        /// Which.
        engine: Engine,
        /// Where it was looked for.
        tried: Vec<PathBuf>,
    },
    /// containerd's directory may not be read.
    #[error("{} may not be read; containerd's images are open to root alone", shown_path(.path))]
    NotReadable {
        /// Which.
        path: PathBuf,
    },
    /// containerd's names cannot be read.
    #[error("{}: {reason}", shown_path(.path))]
    Database {
        /// Where they are.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Several of containerd's namespaces have different images of one name.
    #[error(
        "«{}» is one image in containerd's namespace {first} and another one in {second}; set CONTAINERD_NAMESPACE to one of them",
        nixdive_base::text::display_in_sentence(image)
    )]
    Namespaces {
        /// What was asked for.
        image: String,
        /// One namespace.
        first: String,
        /// Another one.
        second: String,
    },
    /// The way there.
    #[error("{}: {error}", shown_path(.socket))]
    Http {
        /// Its socket.
        socket: PathBuf,
        /// What is wrong.
        error: HttpError,
    },
    /// It has no such image.
    #[error("{} has no image «{}»", name(*.engine), nixdive_base::text::display_in_sentence(image))]
    NoSuchImage {
        /// Which.
        engine: Engine,
        /// What was asked for.
        image: String,
    },
    /// It does not take an image.
    #[error("{} does not take the image: {}", name(*.engine), nixdive_base::text::display_in_sentence(message))]
    Refused {
        /// Which.
        engine: Engine,
        /// What it said.
        message: String,
    },
    /// It went away before it had said that it has the image.
    #[error("{} closed the connection after {sent_bytes} bytes of the image, and does not say why; its log may", name(*.engine))]
    Closed {
        /// Which.
        engine: Engine,
        /// Bytes of the archive that were sent.
        sent_bytes: u64,
    },
    /// The image could not be read to its end; the engine has nothing of it.
    #[error("{}", nixdive_base::text::display_in_sentence(.0))]
    Reading(String),
    /// It says something else.
    #[error("{} answers {status}: {}", name(*.engine), nixdive_base::text::display_in_sentence(message))]
    Answer {
        /// Which.
        engine: Engine,
        /// RFC 9110 section 15.
        status: u16,
        /// What it said.
        message: String,
    },
}

/// How people call an engine.
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

/// An image that an engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalImage {
    /// Digest of its configuration.
    pub id: String,
    /// Its names with tags; none for one that has lost them.
    pub names: Vec<String>,
    /// Bytes of its layers, unpacked, as the engine counts.
    pub unpacked_bytes: u64,
    /// Seconds since 1970.
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

/// An engine that answers.
pub struct EngineClient {
    socket: Socket,
    options: HttpOptions,
}

impl EngineClient {
    /// The engine behind the first socket of those that is there.
    ///
    /// # Errors
    /// [`EngineError::NotThere`].
    pub fn find(engine: Engine, environment: &EngineEnvironment, options: &HttpOptions) -> Result<Self, EngineError> {
        let sockets = sockets(engine, environment);
        let tried = || sockets.iter().map(|socket| socket.path.clone()).collect();
        let there = sockets.iter().find(|socket| std::os::unix::net::UnixStream::connect(&socket.path).is_ok());
        let socket = there.cloned().ok_or_else(|| EngineError::NotThere { engine, tried: tried() })?;
        Ok(Self { socket, options: options.clone() })
    }

    /// Which it is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.socket.engine
    }

    fn get(&self, target: &str, silence: Duration) -> Result<Response, EngineError> {
        self.send(Request::new(Method::Get, Address::new(false, "engine", target)), silence)
    }

    /// Any host in the address will do: the socket leads to one.
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

    /// The images that it has.
    ///
    /// # Errors
    /// [`EngineError`].
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

    /// Whether it has an image of that name.
    #[must_use]
    pub fn has(&self, image: &str) -> bool {
        self.get(&format!("/images/{image}/json"), PATIENCE).is_ok_and(|response| response.status == 200)
    }

    /// An image as a docker-archive, as it comes.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn archive(&self, image: &str) -> Result<Box<dyn Read + Send>, EngineError> {
        let response = self.get(&format!("/images/{image}/get"), PATIENCE_FOR_IMAGES)?;
        if response.status == 200 { Ok(response.body) } else { Err(self.failure(image, response)) }
    }
}

#[cfg(test)]
mod tests;
