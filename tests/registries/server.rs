//! A small HTTP server that answers as a test wants it to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// How a body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Whole,
    /// The connection breaks after so many bytes.
    CutAfter(usize),
    /// No length is given; the end of the connection is that of the body.
    Unannounced,
    /// One byte at a time, with a pause after each.
    Drip(Duration),
    /// The body is sent over and over, without a length.
    Endless,
    /// This length is given instead of the true one, and nothing sent.
    Claimed(u64),
    /// After so many bytes nothing comes for so long.
    StallAfter(usize, Duration),
    /// Nothing is said at all for so long.
    Silent(Duration),
}

#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub manner: Manner,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), manner: Manner::Whole }
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn sent(mut self, manner: Manner) -> Self {
        self.manner = manner;
        self
    }
}

type Answer = dyn Fn(&Seen) -> Reply + Send + Sync;
/// After how many bytes of its body a request is cut off, if it is; what came is shown to the answer with a header
/// `x-cut`, and no answer goes out.
type Cut = dyn Fn(&Seen) -> Option<u64> + Send + Sync;

/// It runs until the test ends.
pub struct Server {
    pub host: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_cutting(|_| None, answer)
    }

    pub fn start_cutting(
        cut: impl Fn(&Seen) -> Option<u64> + Send + Sync + 'static,
        answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (log, answer, cut): (_, Arc<Answer>, Arc<Cut>) = (Arc::clone(&seen), Arc::new(answer), Arc::new(cut));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer, cut) = (Arc::clone(&log), Arc::clone(&answer), Arc::clone(&cut));
                std::thread::spawn(move || serve(stream, &log, &*answer, &*cut));
            }
        });
        Self { host, seen }
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Method and target of all requests so far, and forgets them.
    pub fn take_requests(&self) -> Vec<String> {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        seen.iter().map(|seen| format!("{} {}", seen.method, seen.target)).collect()
    }
}

fn serve(stream: TcpStream, log: &Mutex<Vec<Seen>>, answer: &Answer, cut: &Cut) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(seen) = request(&mut reader, &stream, cut) {
        let reply = answer(&seen);
        log.lock().unwrap().push(seen.clone());
        if seen.header("x-cut").is_some() {
            return;
        }
        if send(&stream, &reply, seen.method == "HEAD").is_none() {
            return;
        }
    }
}

fn request(reader: &mut impl BufRead, mut stream: &TcpStream, cut: &Cut) -> Option<Seen> {
    let mut line = Vec::new();
    reader.take(64 << 10).read_until(b'\n', &mut line).ok()?;
    // What begins with no method may be TLS, which is not spoken here.
    let line = String::from_utf8(line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    words.next().filter(|version| version.starts_with("HTTP/"))?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut seen = Seen { method, target, headers, body: Vec::new() };
    let length = seen.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    if seen.header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let cut = cut(&seen).filter(|&cut| cut < length);
    if cut.is_some() {
        seen.headers.push(("x-cut".into(), "yes".into()));
    }
    reader.take(cut.unwrap_or(length)).read_to_end(&mut seen.body).ok()?;
    Some(seen)
}

/// Whether the connection can be used on.
fn send(mut stream: &TcpStream, reply: &Reply, head: bool) -> Option<()> {
    let mut start = format!("HTTP/1.1 {} Any\r\n", reply.status);
    for (name, value) in &reply.headers {
        start.push_str(&format!("{name}: {value}\r\n"));
    }
    let length = match reply.manner {
        Manner::Unannounced | Manner::Endless => None,
        Manner::Claimed(length) => Some(length),
        _ => Some(reply.body.len() as u64),
    };
    match length {
        Some(length) => start.push_str(&format!("content-length: {length}\r\n")),
        None => start.push_str("connection: close\r\n"),
    }
    start.push_str("\r\n");
    if let Manner::Silent(duration) = reply.manner {
        std::thread::sleep(duration);
        return None;
    }
    stream.write_all(start.as_bytes()).ok()?;
    if head {
        return Some(());
    }
    match reply.manner {
        Manner::Whole => stream.write_all(&reply.body).ok(),
        Manner::CutAfter(count) => {
            stream.write_all(&reply.body[..count.min(reply.body.len())]).ok()?;
            None
        }
        Manner::StallAfter(count, duration) => {
            stream.write_all(&reply.body[..count.min(reply.body.len())]).ok()?;
            std::thread::sleep(duration);
            None
        }
        Manner::Unannounced => {
            stream.write_all(&reply.body).ok()?;
            None
        }
        Manner::Drip(pause) => {
            for byte in &reply.body {
                stream.write_all(&[*byte]).ok()?;
                std::thread::sleep(pause);
            }
            Some(())
        }
        Manner::Endless => loop {
            stream.write_all(&reply.body).ok()?;
        },
        Manner::Claimed(_) | Manner::Silent(_) => {
            std::thread::sleep(Duration::from_millis(500));
            None
        }
    }
}
