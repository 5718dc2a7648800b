use std::fmt;
use std::net::IpAddr;

/// Target of a request: an absolute URL with http or https, without user and fragment. Displayed without its query,
/// which may contain a signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    secure: bool,
    host: String,
    target: String,
}

impl Address {
    /// Creates an address on `host[:port]`, with a path that begins with a slash.
    #[must_use]
    pub fn new(secure: bool, host: &str, target: &str) -> Self {
        Self { secure, host: host.to_ascii_lowercase(), target: target.to_owned() }
    }

    /// Parses an absolute URL. Returns `None` if it is invalid or contains a user.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, target) = rest.split_at_checked(end)?;
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        if host.is_empty() || !host.bytes().all(is_host) {
            return None;
        }
        let target = target.split('#').next().unwrap_or_default();
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        Some(Self::new(secure, host, &format!("{slash}{target}")))
    }

    /// Resolves a `Location` header sent from this address: RFC 3986 section 5.2, without removing dot segments.
    #[must_use]
    pub fn join(&self, location: &str) -> Option<Self> {
        if location.contains("://") && !location.starts_with(['/', '?']) {
            return Self::parse(location);
        }
        let scheme = if self.secure { "https" } else { "http" };
        if location.starts_with("//") {
            return Self::parse(&format!("{scheme}:{location}"));
        }
        let path = self.target.split('?').next().unwrap_or_default();
        let target = match location.as_bytes().first() {
            Some(b'/') => location.to_owned(),
            Some(b'?') => format!("{path}{location}"),
            _ => format!("{}/{location}", path.rsplit_once('/').map_or("", |(directory, _)| directory)),
        };
        Self::parse(&format!("{scheme}://{}{target}", self.host))
    }

    /// Like [`Self::join`], but keeps the protection of https: plain http on the same host is upgraded to https, since
    /// servers behind a TLS proxy send such URLs. Returns `None` for plain http on other hosts after https.
    #[must_use]
    pub fn join_protected(&self, location: &str) -> Option<Self> {
        let joined = self.join(location)?;
        if joined.secure || !self.secure {
            return Some(joined);
        }
        if joined.host == self.host { Some(Self { secure: true, ..joined }) } else { None }
    }

    /// Returns the address with another parameter in its query; name and value are escaped.
    #[must_use]
    pub fn with_parameter(&self, name: &str, value: &str) -> Self {
        let separator = if self.target.contains('?') { '&' } else { '?' };
        let target = format!("{}{separator}{}={}", self.target, escape(name), escape(value));
        Self { target, ..self.clone() }
    }

    /// Returns the complete URL for sending.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{}", self.host, self.target)
    }

    /// Returns host and port as written.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns `true` for https.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns `true` if both are the same server with the same protection, so that a credential for one may be sent to
    /// the other.
    #[must_use]
    pub fn is_same_server(&self, other: &Self) -> bool {
        self.secure == other.secure && self.port() == other.port() && self.name() == other.name()
    }

    /// Returns `true` if the host is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    fn name(&self) -> &str {
        split_port(&self.host).0
    }

    fn port(&self) -> u16 {
        let standard = if self.secure { 443 } else { 80 };
        split_port(&self.host).1.and_then(|port| port.parse().ok()).unwrap_or(standard)
    }
}

/// Returns `true` if `host[:port]` is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = split_port(host).0.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') && (!name.contains(':') || name.ends_with(']')) => (name, Some(port)),
        _ => (host, None),
    }
}

/// Percent-encodes everything except unreserved characters (RFC 3986 section 2.3).
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        let path = self.target.split('?').next().unwrap_or_default();
        let path = nixdive_base::text::display_in_sentence(path);
        write!(formatter, "{scheme}://{}{path}", self.host)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_absolute_or_relative() {
        let base = Address::parse("https://one.example:5000/v2/a/blobs/uploads/?x=1").unwrap();
        for (location, url) in [
            ("https://two.example/p?q=1", "https://two.example/p?q=1"),
            ("//two.example/p", "https://two.example/p"),
            ("/v2/b", "https://one.example:5000/v2/b"),
            ("uuid", "https://one.example:5000/v2/a/blobs/uploads/uuid"),
            ("?state=2", "https://one.example:5000/v2/a/blobs/uploads/?state=2"),
        ] {
            assert_eq!(base.join(location).unwrap().url(), url, "{location}");
        }
        for bad in ["ftp://host/", "https://user:password@host/", "https:///x", "/with space"] {
            assert!(base.join(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn https_is_not_left_for_plain_http() {
        let base = Address::parse("https://one.example:5000/v2/").unwrap();
        for (location, url) in [
            ("http://one.example:5000/upload?a=1", Some("https://one.example:5000/upload?a=1")),
            ("https://two.example/upload", Some("https://two.example/upload")),
            ("/upload", Some("https://one.example:5000/upload")),
            ("http://one.example/upload", None),
            ("http://two.example:5000/upload", None),
        ] {
            assert_eq!(base.join_protected(location).map(|joined| joined.url()).as_deref(), url, "{location}");
        }
        let plain = Address::parse("http://one.example/v2/").unwrap();
        assert!(plain.join_protected("http://two.example/upload").is_some());
    }

    #[test]
    fn a_server_is_scheme_name_and_port() {
        let address = |url| Address::parse(url).unwrap();
        assert!(address("https://a.example/x").is_same_server(&address("https://A.example:443/y")));
        for other in ["http://a.example/", "https://a.example:444/", "https://b.example/"] {
            assert!(!address("https://a.example/x").is_same_server(&address(other)), "{other}");
        }
    }

    #[test]
    fn this_machine_has_many_names() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:80", "127.8.9.1", "[::1]:5000", "registry.localhost"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["example.com", "localhost.example", "10.0.0.1:5000", "[fe80::1]", "128.0.0.1"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_query_is_sent_and_not_shown() {
        let address = Address::parse("https://a.example/token").unwrap().with_parameter("scope", "a:b c");
        assert_eq!(address.url(), "https://a.example/token?scope=a%3Ab%20c");
        assert_eq!(address.to_string(), "https://a.example/token");
    }
}
