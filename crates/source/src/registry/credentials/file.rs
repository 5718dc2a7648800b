use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use tracing::{debug, info};

use super::{Credential, DOCKER_HUB_KEY, Found, RegistryError, helper, keys};
use crate::http::{Secret, decode_base64};
use nixdive_image::execution::Permission;
use nixdive_image::reference::ImageName;

/// Maximum bytes of such a file.
const MAX_BYTES: u64 = 4 << 20;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct File {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// Looks up an image in one file.
pub(super) fn look_up(
    path: &Path,
    name: &ImageName,
    search: Option<&OsStr>,
    execution: Permission,
) -> Result<Option<Found>, RegistryError> {
    let bytes = read(path).inspect_err(|_| {
        debug!(target: "credentials", file = %path.display(), "cannot be read");
    })?;
    look_up_in(&bytes, path, name, search, execution)
}

/// Looks up an image in the bytes of a file. `path` names the file in messages.
pub(super) fn look_up_in(
    bytes: &[u8],
    path: &Path,
    name: &ImageName,
    search: Option<&OsStr>,
    execution: Permission,
) -> Result<Option<Found>, RegistryError> {
    let file = parse(bytes, path).inspect_err(|_| {
        debug!(target: "credentials", file = %path.display(), "not valid");
    })?;
    let shown = nixdive_base::text::display_name(path.as_os_str().as_encoded_bytes()).into_owned();
    let keys = keys(name);
    let server = if name.host() == "docker.io" { DOCKER_HUB_KEY } else { name.host() };
    let mut withheld = None;
    let mut asked = |program: &str, key: &str| match helper::ask(program, key, search, execution) {
        Ok(credential) => {
            let kind = credential.as_ref().map_or("none", Credential::kind);
            debug!(target: "credentials", helper = program, server = key, named_by = %shown, kind, "helper asked");
            let source = format!("from docker-credential-{program}, as configured in {shown}");
            credential.map(|credential| Found { credential, source })
        }
        Err(refused) => {
            info!(target: "credentials", helper = program, named_by = %shown, "helper not asked: {refused}");
            let source = format!("kept by docker-credential-{program}, as configured in {shown}; {refused}");
            withheld.get_or_insert(Found { credential: Credential::Withheld, source });
            None
        }
    };
    for (key, program) in keys.iter().filter_map(|key| Some((key, file.cred_helpers.get(key)?))) {
        let server = if key.contains("docker.io") && !key.contains('/') { server } else { key };
        if let Some(found) = asked(program, server) {
            return Ok(Some(found));
        }
    }
    if let Some(found) = file.creds_store.as_ref().and_then(|program| asked(program, server)) {
        return Ok(Some(found));
    }
    let entry = keys.iter().find_map(|key| credential(file.auths.get(key)?));
    let kind = entry.as_ref().map_or("none", Credential::kind);
    debug!(target: "credentials", file = %shown, %name, kind, "file looked into");
    Ok(entry.map(|credential| Found { credential, source: format!("from {shown}") }).or(withheld))
}

fn read(path: &Path) -> Result<Vec<u8>, RegistryError> {
    let failed = |reason: String| RegistryError::File { file: path.to_owned(), reason };
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(path).map_err(|error| failed(error.to_string()))?;
    opened.take(MAX_BYTES).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
    Ok(bytes)
}

fn parse(bytes: &[u8], path: &Path) -> Result<File, RegistryError> {
    // The message of the parser could repeat the content.
    serde_json::from_slice(bytes).map_err(|error| RegistryError::File {
        file: path.to_owned(),
        reason: format!("not a JSON file of docker or podman, line {}", error.line()),
    })
}

fn credential(entry: &Entry) -> Option<Credential> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if let Some(token) = given(&entry.registrytoken) {
        return Some(Credential::RegistryToken(Secret::new(token)));
    }
    if let Some(token) = given(&entry.identitytoken) {
        return Some(Credential::IdentityToken(Secret::new(token)));
    }
    if let (Some(user), Some(password)) = (given(&entry.username), given(&entry.password)) {
        return Some(Credential::Password { user, password: Secret::new(password) });
    }
    let pair = String::from_utf8(decode_base64(&given(&entry.auth)?)?).ok()?;
    let (user, password) = pair.split_once(':')?;
    let password = password.trim_end_matches('\0').to_owned();
    Some(Credential::Password { user: user.to_owned(), password: Secret::new(password) })
}
