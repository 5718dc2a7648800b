use std::cmp::Ordering;
use std::fmt;

use serde::Deserialize;
use serde_json::{Value, json};

/// Platform of an image as an index states it: OCI image specification, "Image Index Property Descriptions". The values
/// come from the fields of the same names in the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct ChildPlatform {
    /// Operating system: `linux`, `windows`, …
    #[serde(default)]
    pub os: String,
    /// Architecture in Go's names: `amd64`, `arm64`, …
    #[serde(default)]
    pub architecture: String,
    /// Variant of the architecture: `v7`, `v8`, …
    #[serde(default)]
    pub variant: Option<String>,
    /// Required Windows build.
    #[serde(default, rename = "os.version")]
    pub os_version: Option<String>,
    /// Required Windows kernel features.
    #[serde(default, rename = "os.features")]
    pub os_features: Option<Vec<String>>,
}

/// Error for an image whose configuration does not state its platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its configuration lacks the operating system or architecture that an index requires")]
pub struct NoPlatform;

impl ChildPlatform {
    /// Reads the platform from a configuration or from the `platform` of a descriptor.
    ///
    /// # Errors
    /// If the operating system or the architecture is missing.
    pub fn read(document: &[u8]) -> Result<Self, NoPlatform> {
        let mut platform: Self = nixdive_base::go_json::from_slice(document).map_err(|_| NoPlatform)?;
        let given = |text: &String| !text.is_empty();
        platform.variant = platform.variant.filter(given);
        platform.os_version = platform.os_version.filter(given);
        platform.os_features = platform.os_features.filter(|features| !features.is_empty());
        if platform.os.is_empty() || platform.architecture.is_empty() { Err(NoPlatform) } else { Ok(platform) }
    }

    /// Returns `true` for the placeholder platform of manifests that cannot be run, such as attestations.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" && self.architecture == "unknown"
    }

    /// Returns the platform as it is written in an index.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut document = json!({"architecture": self.architecture, "os": self.os});
        if let Some(fields) = document.as_object_mut() {
            let mut add = |name: &str, value: Option<Value>| value.map(|value| fields.insert(name.to_owned(), value));
            add("os.version", self.os_version.as_deref().map(Value::from));
            add("os.features", self.os_features.clone().map(Value::from));
            add("variant", self.variant.as_deref().map(Value::from));
        }
        document
    }

    fn key(&self) -> (&str, &str, Option<&str>, Option<&str>, Option<&[String]>) {
        let Self { os, architecture, variant, os_version, os_features } = self;
        (os, architecture, variant.as_deref(), os_version.as_deref(), os_features.as_deref())
    }
}

impl Ord for ChildPlatform {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for ChildPlatform {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ChildPlatform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        for part in [&self.variant, &self.os_version].into_iter().flatten() {
            write!(formatter, "/{part}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platform_is_what_the_configuration_says() {
        let windows = br#"{"os":"windows","architecture":"amd64","os.version":"10.0.1","variant":"","rootfs":{}}"#;
        let platform = ChildPlatform::read(windows).unwrap();
        assert_eq!(platform.to_string(), "windows/amd64/10.0.1");
        assert_eq!(platform.to_json(), json!({"architecture": "amd64", "os": "windows", "os.version": "10.0.1"}));
        assert_eq!(ChildPlatform::read(platform.to_json().to_string().as_bytes()), Ok(platform));
        for nothing in ["{}", r#"{"os":"linux"}"#, r#"{"os":1,"architecture":"arm"}"#, "[", "null"] {
            assert_eq!(ChildPlatform::read(nothing.as_bytes()), Err(NoPlatform), "{nothing}");
        }
    }
}
