use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use super::*;
use crate::engines::EngineEnvironment;
use crate::http::HttpOptions;

/// A socket with a fake engine.
struct FakeEngine {
    _place: tempfile::TempDir,
    socket: PathBuf,
}

impl FakeEngine {
    /// `answer` receives the target of each request, and the connection with the body still unread.
    fn new(answer: impl Fn(&str, &mut BufReader<UnixStream>) + Send + 'static) -> Self {
        let place = tempfile::tempdir().unwrap();
        let socket = place.path().join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let mut target = String::new();
                let mut line = String::new();
                while stream.read_line(&mut line).is_ok_and(|count| count > 2) {
                    if target.is_empty() {
                        target = line.split(' ').nth(1).unwrap_or_default().to_owned();
                    }
                    line.clear();
                }
                // A connection that only probes the socket.
                if !target.is_empty() {
                    answer(&target, &mut stream);
                }
            }
        });
        Self { _place: place, socket }
    }

    fn client(&self, engine: Engine) -> EngineClient {
        let host = Some(format!("unix://{}", self.socket.display()));
        let environment =
            EngineEnvironment { docker_host: host.clone(), container_host: host, ..EngineEnvironment::default() };
        EngineClient::find(engine, &environment, &HttpOptions::default()).unwrap()
    }

    fn load(&self, archive: impl Read + Send + 'static) -> Result<Vec<String>, EngineError> {
        let mut said = Vec::new();
        self.client(Engine::Docker).load(Box::new(archive), &mut |text| said.push(text.to_owned()))?;
        Ok(said)
    }
}

/// Reads a chunked body to its end.
fn body(stream: &mut BufReader<UnixStream>) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let length = u64::from_str_radix(line.trim(), 16).unwrap();
        stream.by_ref().take(length).read_to_end(&mut all).unwrap();
        stream.read_line(&mut line).unwrap();
        if length == 0 {
            return all;
        }
    }
}

fn say(stream: &mut BufReader<UnixStream>, status: &str, headers: &str, text: &str) {
    let answer = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{text}", text.len());
    stream.get_mut().write_all(answer.as_bytes()).unwrap();
}

#[test]
fn an_archive_arrives_whole_and_the_output_is_reported() {
    let archive: Vec<u8> = (0..1_000_000u32).map(|number| (number % 251) as u8).collect();
    let expected = archive.clone();
    let engine = FakeEngine::new(move |target, stream| {
        assert!(target.starts_with("/images/load"), "{target}");
        assert_eq!(body(stream), expected);
        let lines = "{\"status\":\"Loading layer\"}\r\n{\"stream\":\"Loaded image: web:1\\n\"}\r\n";
        say(stream, "200 OK", "", lines);
    });
    assert_eq!(engine.load(Cursor::new(archive)).unwrap(), ["Loading layer", "Loaded image: web:1"]);
}

#[test]
fn an_error_within_a_success_is_an_error() {
    let engine = FakeEngine::new(|_, stream| {
        body(stream);
        say(
            stream,
            "200 OK",
            "",
            "{\"status\":\"x\"}\n{\"errorDetail\":{},\"error\":\"no space left on \\u001bdevice\"}\n",
        );
    });
    let error = engine.load(Cursor::new(vec![0; 10])).unwrap_err();
    assert!(matches!(error, EngineError::Refused { .. }));
    let text = error.to_string();
    assert!(text.contains("no space left") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn an_answer_before_the_end_of_the_archive_is_heard() {
    let engine = FakeEngine::new(|_, stream| {
        let mut some = [0; 5000];
        stream.read_exact(&mut some).unwrap();
        say(stream, "500 Internal Server Error", "connection: close\r\n", "{\"message\":\"disk full\"}");
    });
    let error = engine.load(std::io::repeat(7).take(200 << 20)).unwrap_err().to_string();
    assert_eq!(error, "Docker rejected the image: disk full");
}

#[test]
fn a_closed_connection_is_distinguished_from_success() {
    let engine = FakeEngine::new(|_, stream| {
        let mut some = [0; 5000];
        stream.read_exact(&mut some).unwrap();
    });
    let error = engine.load(std::io::repeat(7).take(200 << 20)).unwrap_err();
    assert!(matches!(error, EngineError::Closed { sent_bytes: 5000.., .. }), "{error}");
    let engine = FakeEngine::new(|_, stream| {
        body(stream);
        say(stream, "200 OK", "", "{\"status\":\"Loading layer\"}\n");
    });
    let error = engine.load(Cursor::new(vec![0; 10])).unwrap_err();
    assert!(matches!(error, EngineError::Closed { sent_bytes: 10, .. }), "{error}");
}

#[test]
fn an_archive_that_cannot_be_read_is_the_reason_that_is_given() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the layer is damaged"))
        }
    }
    let engine = FakeEngine::new(|_, stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let error = engine.load(Cursor::new(vec![0; 100_000]).chain(Broken)).unwrap_err();
    assert_eq!(error.to_string(), "the layer is damaged");
}

fn digest(letter: &str) -> Digest {
    Digest::parse(&format!("sha256:{}", letter.repeat(64))).unwrap()
}

/// Returns how many of three layers are presumed present in an engine that has images with other layers.
fn there(engine: Engine, headers: &'static str, info: &'static str, images: &[&[&str]]) -> usize {
    let images: Vec<String> = images
        .iter()
        .map(|layers| {
            let listed: Vec<String> = layers.iter().map(|layer| format!("\"{}\"", digest(layer))).collect();
            format!("{{\"Id\":\"x\",\"RootFS\":{{\"Layers\":[{}]}}}}", listed.join(","))
        })
        .collect();
    let engine_there = FakeEngine::new(move |target, stream| match target {
        "/_ping" => say(stream, "200 OK", headers, "OK"),
        "/info" => say(stream, "200 OK", headers, info),
        "/images/json" => {
            let listed: Vec<String> = (0..images.len()).map(|number| format!("{{\"Id\":\"{number}\"}}")).collect();
            say(stream, "200 OK", headers, &format!("[{}]", listed.join(",")));
        }
        other => {
            let number: usize = other.trim_start_matches("/images/").trim_end_matches("/json").parse().unwrap();
            say(stream, "200 OK", headers, &images[number]);
        }
    });
    engine_there.client(engine).layers_there(&[digest("a"), digest("b"), digest("c")])
}

#[test]
fn docker_has_layers_that_begin_another_image_in_the_same_order() {
    let own = r#"{"DriverStatus":[["Backing Filesystem","extfs"]]}"#;
    let docker = |images: &[&[&str]]| there(Engine::Docker, "", own, images);
    assert_eq!(docker(&[&["a", "e"], &["a", "b", "e"], &[]]), 2);
    assert_eq!(docker(&[&["b", "a"], &["e", "b", "c"]]), 0);
    assert_eq!(docker(&[&["a", "b", "c", "d"]]), 3);
    assert_eq!(there(Engine::Docker, "", r#"{"DriverStatus":null}"#, &[&["a"]]), 1);
    let containerd = r#"{"DriverStatus":[["driver-type","io.containerd.snapshotter.v1"]]}"#;
    assert_eq!(there(Engine::Docker, "", containerd, &[&["a"]]), 0);
    assert_eq!(there(Engine::Docker, "libpod-api-version: 5.0.0\r\n", own, &[&["a"]]), 0);
    assert_eq!(there(Engine::Podman, "", own, &[&["a"]]), 0);
}
