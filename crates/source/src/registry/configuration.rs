//! `registries.conf(5)`, version 2, with its drop-in directories: locations of registries, and the meaning of short
//! names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use tracing::{debug, info};

use super::{Environment, RegistryError};
use nixdive_image::reference::ImageName;

/// Maximum bytes of such a file.
const MAX_BYTES: u64 = 1 << 20;

/// The combined content of all files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configuration {
    registries: Vec<Entry>,
    search: Vec<String>,
    aliases: BTreeMap<String, String>,
}

/// A `[[registry]]` table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Entry {
    prefix: String,
    location: String,
    insecure: bool,
    blocked: bool,
    mirrors: Vec<Mirror>,
    file: PathBuf,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Mirror {
    location: String,
    insecure: bool,
    /// `tag-only` or `digest-only`, if the mirror is restricted.
    only: Option<String>,
}

/// A place that provides an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Name of the image at that place.
    pub name: ImageName,
    /// True if plain http and untrusted certificates are accepted.
    pub insecure: bool,
}

impl Configuration {
    /// Reads the files of the user, or else of the system; all are optional.
    ///
    /// # Errors
    /// [`RegistryError::File`] if a file exists and is invalid.
    pub fn read(environment: &Environment) -> Result<Self, RegistryError> {
        let mut all = Self::default();
        let system = environment.system.join("containers");
        let own = environment.config.as_ref().map(|config| config.join("containers"));
        let own_main = own.as_ref().map(|own| own.join("registries.conf")).filter(|file| file.is_file());
        let main = environment.registries.clone().or(own_main);
        all.add_file(&main.unwrap_or_else(|| system.join("registries.conf")))?;
        for directory in [Some(system), own].into_iter().flatten() {
            for file in drop_ins(&directory.join("registries.conf.d")) {
                all.add_file(&file)?;
            }
        }
        Ok(all)
    }

    /// Parses the text of one file.
    pub(crate) fn parse(text: &str, file: &Path) -> Result<Self, String> {
        let mut all = Self::default();
        all.add(text, file)?;
        Ok(all)
    }

    fn add_file(&mut self, file: &Path) -> Result<(), RegistryError> {
        let failed = |reason: String| RegistryError::File { file: file.to_owned(), reason };
        match fs::metadata(file) {
            Err(_) => return Ok(()),
            Ok(metadata) if metadata.len() > MAX_BYTES => return Err(failed("too long".to_owned())),
            Ok(_) => {}
        }
        // Unreadable files are ignored.
        let Ok(text) = fs::read_to_string(file) else {
            info!(target: "registry", file = %file.display(), "configuration cannot be read");
            return Ok(());
        };
        debug!(target: "registry", file = %file.display(), "configuration");
        self.add(&text, file).map_err(failed)
    }

    /// Adds the content of one file; later files take precedence.
    fn add(&mut self, text: &str, file: &Path) -> Result<(), String> {
        let table = DeTable::parse(text).map_err(|error| error.message().to_owned())?;
        let table = table.get_ref();
        if let Some(search) = array(table, "unqualified-search-registries") {
            self.search = search.filter_map(|value| value.as_str().map(str::to_owned)).collect();
        }
        if let Some(DeValue::Table(aliases)) = value(table, "aliases") {
            let pairs = aliases.iter().filter_map(|(name, value)| Some((name.get_ref(), value.get_ref().as_str()?)));
            self.aliases.extend(pairs.map(|(name, value)| (name.to_string(), value.to_owned())));
        }
        for registry in array(table, "registry").into_iter().flatten() {
            let DeValue::Table(registry) = registry else { continue };
            let entry = entry(registry, file).ok_or("a [[registry]] needs a prefix or a location")?;
            self.registries.retain(|known| known.prefix != entry.prefix);
            self.registries.push(entry);
        }
        Ok(())
    }

    /// Completes a name without a host.
    ///
    /// # Errors
    /// [`RegistryError::ShortName`] if several registries are possible.
    pub fn complete(&self, name: &ImageName) -> Result<ImageName, RegistryError> {
        if name.given_host().is_some() {
            return Ok(name.clone());
        }
        if let Some(full) = self.aliases.get(name.path()).and_then(|alias| name.moved_to(alias)) {
            return Ok(full);
        }
        let candidates: Vec<ImageName> =
            self.search.iter().filter_map(|host| name.moved_to(&format!("{host}/{}", name.path()))).collect();
        match candidates.as_slice() {
            [] => Ok(name.clone()),
            [one] => Ok(one.clone()),
            several => Err(RegistryError::ShortName {
                name: name.to_string(),
                candidates: several.iter().map(|candidate| format!("docker://{candidate}")).collect(),
            }),
        }
    }

    /// Returns the places that provide an image: mirrors in order, then the registry itself.
    ///
    /// # Errors
    /// [`RegistryError::Blocked`] if the registry is blocked.
    pub fn places(&self, name: &ImageName) -> Result<Vec<Place>, RegistryError> {
        let whole = format!("{}/{}", name.host(), name.repository());
        let fits = |entry: &&Entry| matches_prefix(&entry.prefix, &whole).is_some();
        let Some(entry) = self.registries.iter().filter(fits).max_by_key(|entry| entry.prefix.len()) else {
            return Ok(vec![Place { name: name.clone(), insecure: false }]);
        };
        if entry.blocked {
            let file = nixdive_base::text::display_name(entry.file.as_os_str().as_encoded_bytes()).into_owned();
            return Err(RegistryError::Blocked { name: whole, file });
        }
        let rest = matches_prefix(&entry.prefix, &whole).unwrap_or_default();
        let by_digest = name.digest().is_some();
        let serves = |mirror: &&Mirror| match mirror.only.as_deref() {
            Some("digest-only") => by_digest,
            Some("tag-only") => !by_digest,
            _ => true,
        };
        let place =
            |location: &str, insecure| Some(Place { name: name.moved_to(&format!("{location}{rest}"))?, insecure });
        let mirrors = entry.mirrors.iter().filter(serves).filter_map(|mirror| place(&mirror.location, mirror.insecure));
        let own = if entry.location.is_empty() {
            Some(Place { name: name.clone(), insecure: entry.insecure })
        } else {
            place(&entry.location, entry.insecure)
        };
        Ok(mirrors.chain(own).collect())
    }
}

/// Returns the part of a name after a prefix, or `None` if it does not begin with the prefix. `*.example` matches every
/// host below `example`.
fn matches_prefix<'a>(prefix: &str, name: &'a str) -> Option<&'a str> {
    if let Some(domain) = prefix.strip_prefix('*') {
        let (host, rest) = name.split_at(name.find('/').unwrap_or(name.len()));
        return host.ends_with(domain).then_some(rest);
    }
    name.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with(['/', ':', '@']))
}

fn drop_ins(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "conf"));
    files.sort();
    files
}

fn value<'a>(table: &'a DeTable<'a>, name: &str) -> Option<&'a DeValue<'a>> {
    table.iter().find(|(known, _)| known.get_ref() == name).map(|(_, value)| value.get_ref())
}

fn array<'a>(table: &'a DeTable<'a>, name: &str) -> Option<impl Iterator<Item = &'a DeValue<'a>>> {
    match value(table, name)? {
        DeValue::Array(items) => Some(items.iter().map(|item| item.get_ref())),
        _ => None,
    }
}

fn text(table: &DeTable<'_>, name: &str) -> Option<String> {
    value(table, name)?.as_str().map(str::to_owned)
}

fn truth(table: &DeTable<'_>, name: &str) -> bool {
    value(table, name).and_then(DeValue::as_bool).unwrap_or_default()
}

fn entry(table: &DeTable<'_>, file: &Path) -> Option<Entry> {
    let location = text(table, "location").unwrap_or_default();
    let prefix = text(table, "prefix").filter(|prefix| !prefix.is_empty()).unwrap_or_else(|| location.clone());
    let mirrors = array(table, "mirror").into_iter().flatten().filter_map(|mirror| match mirror {
        DeValue::Table(mirror) => Some(Mirror {
            location: text(mirror, "location")?,
            insecure: truth(mirror, "insecure"),
            only: text(mirror, "pull-from-mirror")
                .or_else(|| truth(table, "mirror-by-digest-only").then(|| "digest-only".to_owned())),
        }),
        _ => None,
    });
    let mirrors = mirrors.collect();
    let (insecure, blocked) = (truth(table, "insecure"), truth(table, "blocked"));
    (!prefix.is_empty()).then(|| Entry { prefix, location, insecure, blocked, mirrors, file: file.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = r#"
unqualified-search-registries = ["one.example", "two.example"]
[aliases]
"alpine" = "quay.example/images/alpine"
[[registry]]
prefix = "h.example/team"
location = "inner.example:5000/mirror-of-team"
insecure = true
[[registry.mirror]]
location = "cache.example/team"
[[registry.mirror]]
location = "digests.example/team"
pull-from-mirror = "digest-only"
[[registry]]
prefix = "*.evil.example"
blocked = true
"#;

    fn configuration() -> Configuration {
        let mut configuration = Configuration::default();
        configuration.add(EXAMPLE, Path::new("/x/registries.conf")).unwrap();
        configuration
    }

    fn name(text: &str) -> ImageName {
        ImageName::parse(text).unwrap()
    }

    fn places(text: &str) -> Vec<String> {
        configuration().places(&name(text)).unwrap().iter().map(|place| place.name.to_string()).collect()
    }

    #[test]
    fn mirrors_come_before_the_registry() {
        assert_eq!(
            places("h.example/team/app:1"),
            ["cache.example/team/app:1", "inner.example:5000/mirror-of-team/app:1"]
        );
        assert_eq!(places("h.example/teams/app:1"), ["h.example/teams/app:1"]);
        let digest = format!("sha256:{}", "ab".repeat(32));
        assert_eq!(places(&format!("h.example/team/app@{digest}")).len(), 3);
    }

    #[test]
    fn errors_name_the_file_that_blocks_a_registry() {
        let error = configuration().places(&name("r.evil.example/a")).unwrap_err();
        assert_eq!(error.to_string(), "r.evil.example/a: /x/registries.conf blocks this registry");
    }

    #[test]
    fn short_names_have_aliases_or_are_refused() {
        let configuration = configuration();
        assert_eq!(configuration.complete(&name("alpine:3")).unwrap().to_string(), "quay.example/images/alpine:3");
        assert_eq!(configuration.complete(&name("h.example/x")).unwrap(), name("h.example/x"));
        let error = configuration.complete(&name("web")).unwrap_err().to_string();
        assert!(error.contains("docker://one.example/web") && error.contains("docker://two.example/web"), "{error}");
        assert_eq!(Configuration::default().complete(&name("web")).unwrap(), name("web"));
    }

    #[test]
    fn a_file_that_is_no_toml_is_named() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("registries.conf");
        fs::write(&file, "[[registry]\n").unwrap();
        let environment = Environment { registries: Some(file), ..Environment::default() };
        let error = Configuration::read(&environment).unwrap_err().to_string();
        assert!(error.contains("registries.conf"), "{error}");
    }
}
