/// Operating system and processor that an image is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Platform {
    /// `linux`, `windows`, …
    pub os: String,
    /// `amd64`, `arm64`, … in Go's names.
    pub architecture: String,
    /// `v7`, `v8`, …
    pub variant: Option<String>,
}

impl Platform {
    /// Reads `os/architecture[/variant]`; the kernel's names of processors are turned into Go's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (os, architecture) = (parts.next()?, parts.next()?);
        let variant = parts.next().map(str::to_owned);
        let valid = !os.is_empty() && !architecture.is_empty() && parts.next().is_none();
        let architecture = match architecture {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "i386" | "i686" => "386",
            other => other,
        };
        valid.then(|| Self { os: os.into(), architecture: architecture.into(), variant })
    }

    /// The machine that this program runs on, as a container platform.
    #[must_use]
    pub fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" => "ppc64le",
            other => other,
        };
        Self { os: "linux".into(), architecture: architecture.into(), variant: None }
    }

    /// Returns `true` if an image for `self` is suitable for `wanted`; a variant that was not
    /// requested is ignored.
    #[must_use]
    pub fn serves(&self, wanted: &Self) -> bool {
        self.os == wanted.os
            && self.architecture == wanted.architecture
            && (wanted.variant.is_none() || self.told_variant() == wanted.told_variant())
    }

    /// The variant, or the one that is meant where none is given, as containerd's `platforms` has it.
    fn told_variant(&self) -> Option<&str> {
        match (self.architecture.as_str(), self.variant.as_deref()) {
            ("amd64", None | Some("")) => Some("v1"),
            ("arm", None | Some("")) => Some("v7"),
            ("arm64", None | Some("")) => Some("v8"),
            (_, variant) => variant,
        }
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = |text: &str| if text.is_empty() { "unknown".to_owned() } else { text.to_owned() };
        write!(formatter, "{}/{}", known(&self.os), known(&self.architecture))?;
        match &self.variant {
            Some(variant) => write!(formatter, "/{variant}"),
            None => Ok(()),
        }
    }
}

/// One step of an image's history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryEntry {
    /// RFC 3339.
    pub created: Option<String>,
    /// The command.
    pub created_by: Option<String>,
    /// Who.
    pub author: Option<String>,
    /// Free text.
    pub comment: Option<String>,
    /// True if this step created no layer.
    pub empty_layer: bool,
}

/// How a container's health is asked for. Durations in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Healthcheck {
    /// `["CMD", …]`, `["CMD-SHELL", "…"]`, `["NONE"]`.
    pub test: Vec<String>,
    /// Between two checks.
    pub interval: Option<u64>,
    /// Timeout of one check.
    pub timeout: Option<u64>,
    /// Before failures count.
    pub start_period: Option<u64>,
    /// Failures in a row that mean unhealthy.
    pub retries: Option<u64>,
}

/// An image's configuration: OCI image specification, "Image Configuration", with Docker's additions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Platform that the image runs on.
    pub platform: Platform,
    /// RFC 3339.
    pub created: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// Program and first arguments.
    pub entrypoint: Vec<String>,
    /// Further arguments.
    pub cmd: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// User and group that it runs as.
    pub user: String,
    /// Working directory.
    pub working_directory: String,
    /// `port/protocol`.
    pub exposed_ports: Vec<String>,
    /// Paths that are mounted from outside.
    pub volumes: Vec<String>,
    /// In order of their keys.
    pub labels: Vec<(String, String)>,
    /// Signal that stops it.
    pub stop_signal: Option<String>,
    /// How it is asked for its health.
    pub healthcheck: Option<Healthcheck>,
    /// Docker's `SHELL`.
    pub shell: Vec<String>,
    /// Docker's `ONBUILD`.
    pub on_build: Vec<String>,
    /// Every step, those without a layer included.
    pub history: Vec<HistoryEntry>,
    /// The digests of the unpacked layers as the configuration gives them, base first; not all need be valid.
    pub diff_ids: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::Platform;

    #[test]
    fn a_platform_reads_back_as_written() {
        for text in ["linux/amd64", "linux/arm/v7"] {
            assert_eq!(Platform::parse(text).map(|platform| platform.to_string()).as_deref(), Some(text));
        }
        for bad in ["", "linux", "/amd64", "linux/", "a/b/c/d"] {
            assert_eq!(Platform::parse(bad), None, "{bad}");
        }
    }
}
