/// Characters of a value that is meant for people.
const MOST_TEXT: usize = 200;
/// Characters of a value that is part of a URL or an identifier.
const MOST_PLAIN: usize = 100;

/// The operating system of an image, as `os-release(5)` describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distribution {
    /// `ID`: `debian`, `alpine`, `fedora`.
    pub id: Option<String>,
    /// `VERSION_ID`; rolling distributions have none.
    pub version: Option<String>,
    /// `PRETTY_NAME`, else `NAME`. Safe to print.
    pub title: Option<String>,
    /// `CPE_NAME`, in the form of CPE 2.2 or 2.3.
    pub cpe: Option<String>,
    /// `HOME_URL`, an `http` or `https` URL.
    pub home: Option<String>,
}

impl Distribution {
    /// Reads `os-release`: assignments of shell syntax, one a line. A value that is not a plain string is left out.
    #[must_use]
    pub fn parse(content: &[u8]) -> Self {
        let Ok(text) = std::str::from_utf8(content) else { return Self::default() };
        let value = |name: &str| assigned(text, name);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte);
        let plain = |name: &str| {
            value(name).filter(|value| value.len() <= MOST_PLAIN && !value.is_empty() && value.bytes().all(is_plain))
        };
        let is_of_url = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
        let identifier = |name: &str, starts: &[&str]| {
            value(name).filter(|value| {
                value.len() <= MOST_TEXT
                    && value.bytes().all(is_of_url)
                    && starts.iter().any(|start| value.starts_with(start))
            })
        };
        let title = value("PRETTY_NAME").or_else(|| value("NAME")).filter(|title| !title.is_empty());
        Self {
            id: plain("ID").map(|id| id.to_ascii_lowercase()),
            version: plain("VERSION_ID"),
            title: title.map(|title| {
                let title: String = title.chars().take(MOST_TEXT).collect();
                nixdive_base::text::display_in_sentence(&title)
            }),
            cpe: identifier("CPE_NAME", &["cpe:/", "cpe:2.3:"]),
            home: identifier("HOME_URL", &["https://", "http://"]),
        }
    }

    /// `debian-12`, the value of the `distro` qualifier of package URLs.
    #[must_use]
    pub fn release(&self) -> Option<String> {
        Some(format!("{}-{}", self.id.as_ref()?, self.version.as_ref()?))
    }
}

/// The value of the last assignment to a name, quotes and backslashes resolved; `None` where the shell would expand it.
fn assigned(text: &str, name: &str) -> Option<String> {
    let value = text.lines().rev().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))?.trim();
    let unquoted = |quote: char| value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote));
    if let Some(literal) = unquoted('\'') {
        return (!literal.contains('\'')).then(|| literal.to_owned());
    }
    let value = unquoted('"').unwrap_or(value);
    let mut plain = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => plain.push(letters.next()?),
            '$' | '`' | '"' => return None,
            _ => plain.push(letter),
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_names_the_distribution() {
        let content = b"PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME='Debian'\nID=debian\nVERSION_ID=\"12\"\n\
            CPE_NAME=\"cpe:/o:debian:debian_linux:12\"\nHOME_URL=\"https://www.debian.org/\"\n";
        let read = Distribution::parse(content);
        assert_eq!((read.id.as_deref(), read.version.as_deref()), (Some("debian"), Some("12")));
        assert_eq!(read.title.as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
        assert_eq!(read.cpe.as_deref(), Some("cpe:/o:debian:debian_linux:12"));
        assert_eq!(read.home.as_deref(), Some("https://www.debian.org/"));
        assert_eq!(read.release().as_deref(), Some("debian-12"));
    }

    #[test]
    fn what_is_not_a_plain_value_is_left_out() {
        assert_eq!(Distribution::parse(b"ID=$(reboot)\n\xff"), Distribution::default());
        let odd = b"ID=\"a b\"\nVERSION_ID=`id`\nNAME=\"x\\\"y\"\nHOME_URL=javascript:alert(1)\nCPE_NAME=cpe\n";
        let read = Distribution::parse(odd);
        assert_eq!(read, Distribution { title: Some("x\"y".to_owned()), ..Distribution::default() });
        assert_eq!(Distribution::parse(b"NAME=\"a\x1b[2J\"").title.as_deref(), Some("a\\x1b[2J"));
    }
}
