use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tracing::debug;
use ureq::http::HeaderMap;
use ureq::{Agent, SendBody};

use super::socket::{NoNames, SocketConnector};
use super::steady::Steady;
use super::{Address, Clock, HttpError, Patience, RealClock, Secret, Trust};
use nixdive_base::cancel::Cancel;

const USER_AGENT: &str = concat!("nixdive/", env!("CARGO_PKG_VERSION"));
/// Maximum bytes of all headers of an answer.
const MAX_HEADER_BYTES: usize = 64 << 10;
/// Bytes read from the network at a time.
const BUFFER_BYTES: usize = 128 << 10;
/// Interval at which cancellation is checked; the checking thread lives as long as the client.
const LOOK: Duration = Duration::from_millis(100);

/// Settings of HTTP exchanges.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Maximum time for connecting.
    pub connect: Duration,
    /// Maximum time until an answer, or its next bytes, arrive.
    pub silence: Duration,
    /// Rules for repeating requests.
    pub patience: Patience,
    /// Source of time.
    pub clock: Arc<dyn Clock>,
    /// Cancels requests; interrupts waits.
    pub cancel: Cancel,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(30),
            patience: Patience::default(),
            clock: Arc::new(RealClock),
            cancel: Cancel::new(),
        }
    }
}

/// Method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read a resource.
    Get,
    /// Read only its headers.
    Head,
    /// Start an operation.
    Post,
    /// Continue an upload.
    Patch,
    /// Write a resource.
    Put,
    /// Delete a resource.
    Delete,
}

impl Method {
    fn name(self) -> ureq::http::Method {
        match self {
            Self::Get => ureq::http::Method::GET,
            Self::Head => ureq::http::Method::HEAD,
            Self::Post => ureq::http::Method::POST,
            Self::Patch => ureq::http::Method::PATCH,
            Self::Put => ureq::http::Method::PUT,
            Self::Delete => ureq::http::Method::DELETE,
        }
    }
}

/// Body of a request.
pub enum Body {
    /// No body.
    None,
    /// Bytes in memory.
    Bytes(Vec<u8>),
    /// The content of a reader whose length in bytes is known.
    Stream(Box<dyn Read + Send>, u64),
    /// The content of a reader of unknown length: RFC 9112 section 7.1. On a socket, it is not an error by itself if
    /// the other side closes before all of it was sent: its answer may give the reason.
    Chunked(Box<dyn Read + Send>),
}

/// An HTTP request.
pub struct Request {
    /// Method of the request.
    pub method: Method,
    /// Target of the request.
    pub address: Address,
    /// Header names in lower case, with values.
    pub headers: Vec<(&'static str, String)>,
    /// Value of `Authorization`.
    pub authorization: Option<Secret>,
    /// Body of the request.
    pub body: Body,
}

impl Request {
    /// Creates a request without headers and body.
    #[must_use]
    pub fn new(method: Method, address: Address) -> Self {
        Self { method, address, headers: Vec::new(), authorization: None, body: Body::None }
    }
}

/// An HTTP response.
pub struct Response {
    /// Address that answered.
    pub address: Address,
    /// Status code (RFC 9110, section 15).
    pub status: u16,
    headers: HeaderMap,
    /// Bytes of the body, if the server states them.
    pub content_length: Option<u64>,
    /// Body of the response.
    pub body: Box<dyn Read + Send>,
}

impl Response {
    /// Returns a header by its name in lower case, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns all headers of one name.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
    }

    /// Reads the whole body. Returns `None` if it has more than `most` bytes.
    ///
    /// # Errors
    /// If the connection fails.
    pub fn bytes(self, most: u64) -> io::Result<Option<Vec<u8>>> {
        if self.content_length.is_some_and(|length| length > most) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        self.body.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 <= most).then_some(bytes))
    }
}

/// An HTTP client with its open connections.
pub struct Http {
    agent: Agent,
    options: HttpOptions,
    /// True once the other side of a socket has stopped reading.
    closed: Arc<AtomicBool>,
    /// Dropped with the client, which ends the thread that waits for cancellation.
    _alive: Arc<()>,
}

impl Http {
    /// Creates a client for TCP, with TLS for https addresses. Uses the proxies of the environment.
    ///
    /// # Errors
    /// If a certificate cannot be read or a thread cannot be started.
    pub fn over_network(trust: &Trust, options: HttpOptions) -> io::Result<Self> {
        let config = config(&options).tls_config(trust.config()?).build();
        Self::new(Agent::new_with_config(config), options, Arc::default())
    }

    /// Creates a client for a local socket.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn over_socket(path: &Path, options: HttpOptions) -> io::Result<Self> {
        let config = config(&options).proxy(None).build();
        let closed = Arc::default();
        let connector = SocketConnector { path: path.to_owned(), closed: Arc::clone(&closed) };
        Self::new(Agent::with_parts(config, connector, NoNames), options, closed)
    }

    fn new(agent: Agent, options: HttpOptions, closed: Arc<AtomicBool>) -> io::Result<Self> {
        let alive = Arc::new(());
        let (watched, cancel, stopped) = (Arc::downgrade(&alive), options.cancel.clone(), agent.clone());
        let watch = move || {
            while watched.strong_count() > 0 {
                if cancel.is_cancelled() {
                    stopped.shutdown();
                    return;
                }
                std::thread::sleep(LOOK);
            }
        };
        std::thread::Builder::new().name("cancel".into()).spawn(watch)?;
        Ok(Self { agent, options, closed, _alive: alive })
    }

    /// Returns the settings.
    #[must_use]
    pub fn options(&self) -> &HttpOptions {
        &self.options
    }

    /// Sends one request and returns the answer, whatever its status. Does not follow redirections or repeat the
    /// request.
    ///
    /// # Errors
    /// [`HttpError`] if no valid answer arrives.
    pub fn send(&self, request: Request) -> Result<Response, HttpError> {
        let (method, address, begun) = (request.method, request.address.clone(), Instant::now());
        let authorization = if request.authorization.is_some() { "shown" } else { "none" };
        let result = self.exchange(request);
        let ms = begun.elapsed().as_millis();
        // An address is shown without its query, and an error names neither a query nor a credential.
        match &result {
            Ok(Response { status, .. }) => {
                debug!(target: "http", ?method, %address, authorization, status, ms, "answer")
            }
            Err(error) => debug!(target: "http", ?method, %address, authorization, %error, ms, "no answer"),
        }
        result
    }

    fn exchange(&self, request: Request) -> Result<Response, HttpError> {
        let Request { method, address, headers, authorization, body } = request;
        let failed = |error| {
            let cancelled = self.options.cancel.is_cancelled();
            if cancelled { HttpError::Cancelled } else { HttpError::of(address.host(), error) }
        };
        self.options.cancel.check().map_err(|_| HttpError::Cancelled)?;
        let mut builder = ureq::http::Request::builder().method(method.name()).uri(address.url());
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        if let Some(authorization) = &authorization {
            builder = builder.header("authorization", authorization.reveal());
        }
        if let Body::Stream(_, length) = &body {
            builder = builder.header("content-length", *length);
        }
        let wrong = |error: ureq::http::Error| failed(ureq::Error::Http(error));
        let result = match body {
            Body::None => self.agent.run(builder.body(()).map_err(wrong)?),
            Body::Bytes(bytes) => self.agent.run(builder.body(bytes).map_err(wrong)?),
            Body::Stream(reader, _) => {
                self.agent.run(builder.body(SendBody::from_owned_reader(reader)).map_err(wrong)?)
            }
            Body::Chunked(inner) => {
                let reader = UntilClosed { inner, closed: Arc::clone(&self.closed) };
                self.agent.run(builder.body(SendBody::from_owned_reader(reader)).map_err(wrong)?)
            }
        };
        let (parts, body) = result.map_err(failed)?.into_parts();
        let content_length = parts.headers.get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
        let body = Steady::new(body.into_reader(), self.options.silence, self.options.cancel.clone());
        Ok(Response {
            address,
            status: parts.status.as_u16(),
            headers: parts.headers,
            content_length,
            body: Box::new(body),
        })
    }
}

/// Ends once the other side has stopped reading.
struct UntilClosed {
    inner: Box<dyn Read + Send>,
    closed: Arc<AtomicBool>,
}

impl Read for UntilClosed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.closed.load(Ordering::Relaxed) { Ok(0) } else { self.inner.read(buffer) }
    }
}

type Builder = ureq::config::ConfigBuilder<ureq::typestate::AgentScope>;

fn config(options: &HttpOptions) -> Builder {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(USER_AGENT)
        .max_response_header_size(MAX_HEADER_BYTES)
        .input_buffer_size(BUFFER_BYTES)
        .output_buffer_size(BUFFER_BYTES)
        .timeout_resolve(Some(options.connect))
        .timeout_connect(Some(options.connect))
        .timeout_per_read(Some(options.silence))
        .timeout_per_write(Some(options.silence))
}
