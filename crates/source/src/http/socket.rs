//! HTTP over a local socket, as engines use it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, ShutdownHandle, Transport,
};

/// Connects to one socket, whatever host is requested.
#[derive(Debug)]
pub(super) struct SocketConnector {
    pub path: PathBuf,
    /// True once the other side has stopped reading.
    pub closed: Arc<AtomicBool>,
}

impl Connector for SocketConnector {
    type Out = SocketTransport;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Self::Out>, Error> {
        let stream = Arc::new(Stream(UnixStream::connect(&self.path)?));
        let handle: Arc<dyn ShutdownHandle> = Arc::clone(&stream) as Arc<_>;
        let weak: Weak<dyn ShutdownHandle> = Arc::downgrade(&handle);
        (details.register_shutdown)(weak)?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        self.closed.store(false, Ordering::Relaxed);
        Ok(Some(SocketTransport { stream, buffers, closed: Arc::clone(&self.closed) }))
    }
}

/// A resolver that does nothing.
#[derive(Debug)]
pub(super) struct NoNames;

impl Resolver for NoNames {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut addresses = self.empty();
        addresses.push(SocketAddr::from((Ipv4Addr::LOCALHOST, 80)));
        Ok(addresses)
    }
}

#[derive(Debug)]
struct Stream(UnixStream);

impl ShutdownHandle for Stream {
    fn shutdown(&self) {
        // An error means that it is already closed.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// A connection to the socket.
#[derive(Debug)]
pub(super) struct SocketTransport {
    stream: Arc<Stream>,
    buffers: LazyBuffers,
    closed: Arc<AtomicBool>,
}

impl Transport for SocketTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let mut stream = &self.stream.0;
        stream.set_write_timeout(timeout.not_zero().map(|duration| *duration))?;
        let output = self.buffers.output();
        // The other side may have answered early; the answer is read next.
        match stream.write_all(output.get(..amount).unwrap_or_default()) {
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                self.closed.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(Error::Timeout(timeout.reason)),
            result => Ok(result?),
        }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let mut stream = &self.stream.0;
        stream.set_read_timeout(timeout.not_zero().map(|duration| *duration))?;
        let count = match stream.read(self.buffers.input_append_buf()) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(Error::Timeout(timeout.reason)),
            other => other?,
        };
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        // Engines close connections at any time; a new one is cheap.
        false
    }
}
