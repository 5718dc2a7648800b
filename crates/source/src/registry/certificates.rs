use std::fs;
use std::path::{Path, PathBuf};

use super::{Environment, RegistryError};
use crate::http::{ClientIdentity, Trust};

/// Maximum bytes of a certificate or a key.
const MAX_BYTES: u64 = 1 << 20;

/// Reads a host's certificates from the directories of Docker and podman (`containers-certs.d(5)`): `*.crt` are trusted
/// authorities, `*.cert` and `*.key` are the client's own. `given` is used instead of these directories.
///
/// # Errors
/// [`RegistryError::File`] if `given` cannot be read.
pub fn trust(environment: &Environment, given: Option<&Path>, host: &str) -> Result<Trust, RegistryError> {
    let mut trust = Trust::default();
    if let Some(directory) = given {
        fs::read_dir(directory)
            .map_err(|error| RegistryError::File { file: directory.to_owned(), reason: error.to_string() })?;
        add(&mut trust, directory);
        return Ok(trust);
    }
    let own = environment.config.as_ref().map(|config| config.join("containers/certs.d"));
    let bases =
        [own, Some(environment.system.join("containers/certs.d")), Some(environment.system.join("docker/certs.d"))];
    for base in bases.into_iter().flatten() {
        add(&mut trust, &base.join(host));
    }
    Ok(trust)
}

fn add(trust: &mut Trust, directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    for file in files {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("crt") => trust.authorities.extend(read(&file)),
            Some("cert") => {
                if let (None, Some(certificates), Some(key)) =
                    (&trust.identity, read(&file), read(&file.with_extension("key")))
                {
                    trust.identity = Some(ClientIdentity { certificates, key });
                }
            }
            _ => {}
        }
    }
}

fn read(file: &Path) -> Option<Vec<u8>> {
    let length = fs::metadata(file).ok()?.len();
    if length > MAX_BYTES { None } else { fs::read(file).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_named_by_host_and_port() {
        let place = tempfile::tempdir().unwrap();
        let environment = Environment { system: place.path().to_owned(), ..Environment::default() };
        let directory = place.path().join("docker/certs.d/h.example:5000");
        fs::create_dir_all(&directory).unwrap();
        for (name, text) in [("ca.crt", "authority"), ("client.cert", "own"), ("client.key", "key"), ("notes", "x")] {
            fs::write(directory.join(name), text).unwrap();
        }
        let trusted = trust(&environment, None, "h.example:5000").unwrap();
        assert_eq!(trusted.authorities, [b"authority"]);
        assert_eq!(trusted.identity.unwrap().certificates, b"own");
        let other = trust(&environment, None, "h.example").unwrap();
        assert!(other.authorities.is_empty() && other.identity.is_none());
        assert!(trust(&environment, Some(&place.path().join("none")), "h.example").is_err());
    }
}
