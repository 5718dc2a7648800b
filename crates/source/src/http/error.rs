use std::io;
use std::time::Duration;

/// Reason why an exchange with a server failed. Never contains a credential or a query.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HttpError {
    /// The host name cannot be resolved.
    #[error("unknown host {0}; check its name and the network")]
    UnknownHost(String),
    /// The server does not answer.
    #[error("{host}: {reason}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// The system's error.
        reason: String,
    },
    /// The server sent nothing, or almost nothing, for too long.
    #[error("{host} does not answer: {what}")]
    Silent {
        /// Host and port.
        host: String,
        /// The expected event, and the time waited.
        what: String,
    },
    /// The server's certificate was rejected, or the server rejected ours.
    #[error("{host}: insecure connection: {reason}")]
    Tls {
        /// Host and port.
        host: String,
        /// The reason.
        reason: String,
    },
    /// The answer is not valid HTTP.
    #[error("{host}: {reason}")]
    Protocol {
        /// Host and port.
        host: String,
        /// The reason.
        reason: String,
    },
    /// The server asks for a longer wait than is acceptable.
    #[error("{host} allows no more requests for {}{}", in_words(*.wait), .quota.as_ref().map(|quota| format!(" (its quota is {quota})")).unwrap_or_default())]
    TooManyRequests {
        /// Host and port.
        host: String,
        /// The wait that the server asks for.
        wait: Duration,
        /// The quota that the server reports.
        quota: Option<String>,
    },
    /// It was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl HttpError {
    /// Converts an error of the library, with advice if the library has none.
    pub(super) fn of(host: &str, error: ureq::Error) -> Self {
        let host = host.to_owned();
        match error {
            ureq::Error::HostNotFound => Self::UnknownHost(host),
            ureq::Error::Timeout(timeout) => Self::Silent { host, what: format!("timeout ({timeout})") },
            ureq::Error::Tls(reason) => Self::Tls { host, reason: reason.to_owned() },
            ureq::Error::Rustls(error) => Self::Tls { host, reason: error.to_string() },
            ureq::Error::Pem(error) => Self::Tls { host, reason: error.to_string() },
            ureq::Error::Io(error) => Self::of_io(host, &error),
            ureq::Error::ConnectionFailed => Self::Unreachable { host, reason: "no connection".to_owned() },
            ureq::Error::ConnectProxyFailed(reason) => {
                Self::Unreachable { host, reason: format!("refused by the proxy: {reason}") }
            }
            ureq::Error::Protocol(error) => Self::Protocol { host, reason: format!("invalid HTTP: {error}") },
            // Other messages may repeat parts of the request.
            _ => Self::Protocol { host, reason: "invalid HTTP".to_owned() },
        }
    }

    fn of_io(host: String, error: &io::Error) -> Self {
        let text = error.to_string();
        match error.kind() {
            io::ErrorKind::TimedOut => Self::Silent { host, what: "timeout".to_owned() },
            io::ErrorKind::ConnectionRefused => {
                Self::Unreachable { host, reason: "connection refused; is a server running there?".to_owned() }
            }
            // The library wraps TLS errors in I/O errors.
            io::ErrorKind::InvalidData if text.contains("invalid peer certificate") => Self::Tls { host, reason: text },
            io::ErrorKind::InvalidData => {
                Self::Tls { host, reason: format!("{text}; does it speak plain http? --tls-verify=false allows that") }
            }
            _ => Self::Unreachable { host, reason: text },
        }
    }

    /// Returns `true` if another attempt may succeed: the connection broke, or the answer was invalid.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { reason, .. } => !reason.contains("refused"),
            Self::Protocol { .. } => true,
            _ => false,
        }
    }
}

/// Formats a duration in a single unit.
fn in_words(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds} seconds"),
        seconds @ 120..7200 => format!("{} minutes", seconds / 60),
        seconds => format!("{} hours", seconds / 3600),
    }
}
