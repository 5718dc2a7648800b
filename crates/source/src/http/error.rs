use std::io;
use std::time::Duration;

/// Why an exchange with a server failed. Never names a credential or a query.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HttpError {
    /// Its name is not known.
    #[error("the host {0} is not known; is its name right, and is there a network?")]
    UnknownHost(String),
    /// Nobody answers.
    #[error("{host}: {reason}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the system said.
        reason: String,
    },
    /// It said nothing for too long, or next to nothing.
    #[error("{host} does not answer: {what}")]
    Silent {
        /// Host and port.
        host: String,
        /// What was waited for, and how long.
        what: String,
    },
    /// Its certificate, or what it makes of ours.
    #[error("{host}: the connection is not safe: {reason}")]
    Tls {
        /// Host and port.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// What it said is no HTTP.
    #[error("{host}: {reason}")]
    Protocol {
        /// Host and port.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// It wants to be left alone for longer than anybody waits.
    #[error("{host} allows no more requests for {}{}", in_words(*.wait), .quota.as_ref().map(|quota| format!(" (its quota is {quota})")).unwrap_or_default())]
    TooManyRequests {
        /// Host and port.
        host: String,
        /// For how long.
        wait: Duration,
        /// What it says of its quota.
        quota: Option<String>,
    },
    /// It was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl HttpError {
    /// What went wrong on the way, in words that say what to do where the library has none.
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
                Self::Unreachable { host, reason: format!("the proxy refuses: {reason}") }
            }
            ureq::Error::Protocol(error) => Self::Protocol { host, reason: format!("no valid HTTP: {error}") },
            // Other messages may repeat what was sent.
            _ => Self::Protocol { host, reason: "no valid HTTP".to_owned() },
        }
    }

    fn of_io(host: String, error: &io::Error) -> Self {
        let text = error.to_string();
        match error.kind() {
            io::ErrorKind::TimedOut => Self::Silent { host, what: "timeout".to_owned() },
            io::ErrorKind::ConnectionRefused => {
                Self::Unreachable { host, reason: "the connection is refused; is a server running there?".to_owned() }
            }
            // The library wraps its errors of TLS in those of I/O.
            io::ErrorKind::InvalidData if text.contains("invalid peer certificate") => Self::Tls { host, reason: text },
            io::ErrorKind::InvalidData => {
                Self::Tls { host, reason: format!("{text}; does it speak plain http? --tls-verify=false allows that") }
            }
            _ => Self::Unreachable { host, reason: text },
        }
    }

    /// Whether trying once more may help: the connection broke, or said nothing valid.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { reason, .. } => !reason.contains("refused"),
            Self::Protocol { .. } => true,
            _ => false,
        }
    }
}

/// A length of time to one unit.
fn in_words(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds} seconds"),
        seconds @ 120..7200 => format!("{} minutes", seconds / 60),
        seconds => format!("{} hours", seconds / 3600),
    }
}
