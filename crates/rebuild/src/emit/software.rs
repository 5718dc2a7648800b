//! Attributes of nixpkgs by program, library or software name.

use hashbrown::HashMap;

use nixdive_base::text::display_name;
use nixdive_image::Config;
use nixdive_packages::normal_names;

/// Mapping table: `attribute | programs | libraries | names`.
const TABLE: &str = include_str!("../../data/nixpkgs-map.txt");

/// Program of nixpkgs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownProgram {
    /// Attribute of the package; [`PYTHON`] for Python, whose modules are chosen with it.
    pub attribute: String,
    /// Name of the program in `bin`.
    pub program: String,
    /// True if the attribute is of the same release as in the image, where nixpkgs has attributes per release.
    pub is_release: bool,
    /// True if the environment of the image names the release, as in official images of languages.
    pub is_announced: bool,
}

/// Placeholder attribute for the Python of the image, whatever its release.
pub(super) const PYTHON: &str = "python";

/// Releases in nixpkgs, as they appear in attribute names.
const PYTHON_RELEASES: [&str; 4] = ["311", "312", "313", "314"];
const NODE_RELEASES: [&str; 3] = ["20", "22", "24"];
const JAVA_RELEASES: [&str; 5] = ["8", "11", "17", "21", "25"];
const POSTGRESQL_RELEASES: [&str; 6] = ["13", "14", "15", "16", "17", "18"];
const PHP_RELEASES: [&str; 4] = ["82", "83", "84", "85"];
const RUBY_RELEASES: [&str; 2] = ["3_3", "3_4"];
const LUA_RELEASES: [&str; 4] = ["5_1", "5_2", "5_3", "5_4"];

/// Mapping table, indexed by the names it maps.
pub(super) struct Software {
    programs: HashMap<&'static str, (&'static str, &'static str)>,
    libraries: HashMap<&'static str, &'static str>,
    names: HashMap<&'static str, &'static str>,
}

impl Software {
    pub fn new() -> Self {
        let mut software = Self { programs: HashMap::new(), libraries: HashMap::new(), names: HashMap::new() };
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let mut columns = line.split('|').map(str::trim);
            let Some(attribute) = columns.next().filter(|attribute| !attribute.is_empty()) else { continue };
            let mut words = || columns.next().unwrap_or_default().split_ascii_whitespace();
            for program in words() {
                let (theirs, ours) = program.split_once('=').unwrap_or((program, program));
                software.programs.entry(theirs).or_insert((attribute, ours));
            }
            for library in words() {
                software.libraries.entry(library).or_insert(attribute);
            }
            for name in words().chain([attribute]) {
                software.names.entry(name).or_insert(attribute);
            }
        }
        software
    }

    /// Returns the program of nixpkgs for a file, by its name and, for releases, by its path and the environment.
    pub fn program(&self, path: &[u8], config: &Config) -> Option<KnownProgram> {
        let path = std::str::from_utf8(path).ok()?;
        let name = path.rsplit('/').next().unwrap_or(path);
        if let Some(known) = versioned(name, path, config) {
            return Some(known);
        }
        let &(attribute, program) = self.programs.get(name)?;
        let variable = format!("{}_VERSION", attribute.to_ascii_uppercase());
        let is_announced = variable_of(config, &variable).is_some();
        Some(KnownProgram { attribute: attribute.into(), program: program.into(), is_release: true, is_announced })
    }

    /// Returns the attribute that provides a library, by its file name.
    pub fn library(&self, name: &[u8]) -> Option<&'static str> {
        let name = std::str::from_utf8(name).ok()?;
        let stem = name.split(".so").next().filter(|stem| stem.len() < name.len())?;
        let exact = self.libraries.get(stem);
        // Versioned names such as `libc-2.31.so`.
        let plain = || self.libraries.get(stem.rsplit_once('-').filter(|(_, version)| begins_with_digit(version))?.0);
        exact.or_else(plain).copied()
    }

    /// Returns the attribute of software by its name in a package system; `kind` is `nix` for the name of a store path.
    pub fn named(&self, name: &str, kind: &str) -> Option<&'static str> {
        let exact = self.names.get(name).copied();
        exact.or_else(|| normal_names(name, kind).iter().rev().find_map(|name| self.names.get(name.as_str()).copied()))
    }
}

fn begins_with_digit(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
}

/// Looks up programs of which nixpkgs has several releases.
fn versioned(name: &str, path: &str, config: &Config) -> Option<KnownProgram> {
    let stem = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    let release = name.get(stem.len()..).unwrap_or_default();
    let of = |variable: &str| variable_of(config, variable);
    let choose =
        |base: &str, named: &str, announced: Option<String>, releases: &[&str], suffix: &str, program: &str| {
            let wanted = if named.is_empty() { announced.clone().unwrap_or_default() } else { named.to_owned() };
            let known = releases.contains(&wanted.as_str());
            let attribute = if known {
                format!("{base}{wanted}{suffix}")
            } else {
                format!("{}{suffix}", base.trim_end_matches('_'))
            };
            let is_release = known || wanted.is_empty();
            Some(KnownProgram { attribute, program: program.to_owned(), is_release, is_announced: announced.is_some() })
        };
    match stem {
        "python" => Some(KnownProgram {
            attribute: PYTHON.to_owned(),
            program: name.to_owned(),
            is_release: true,
            is_announced: of("PYTHON_VERSION").is_some(),
        }),
        "node" | "nodejs" | "npm" | "npx" | "corepack" => {
            let program = if stem == "nodejs" { "node" } else { stem };
            choose(
                "nodejs_",
                &first(release, 1),
                of("NODE_VERSION").map(|text| first(&text, 1)),
                &NODE_RELEASES,
                "",
                program,
            )
        }
        "java" | "javac" | "jar" | "keytool" | "jcmd" | "jstack" | "jmap" | "jps" | "jshell" => {
            let announced =
                of("JAVA_VERSION").map(|text| first(text.trim_start_matches("jdk").trim_start_matches('-'), 1));
            choose(
                "jdk",
                &release_in(path, &["java-", "jdk-", "openjdk-", "jdk"]),
                announced,
                &JAVA_RELEASES,
                "_headless",
                stem,
            )
        }
        "postgres" | "psql" | "pg_dump" | "pg_dumpall" | "pg_restore" | "initdb" | "pg_ctl" | "pg_isready"
        | "pg_basebackup" => {
            let announced = of("PG_MAJOR").map(|text| first(&text, 1));
            choose(
                "postgresql_",
                &release_in(path, &["postgresql/", "postgresql"]),
                announced,
                &POSTGRESQL_RELEASES,
                "",
                stem,
            )
        }
        "php" | "php-fpm" | "php-cgi" => {
            let digits = |text: &str| text.chars().filter(char::is_ascii_digit).take(2).collect::<String>();
            choose("php", &digits(release), of("PHP_VERSION").map(|text| digits(&text)), &PHP_RELEASES, "", stem)
        }
        "ruby" | "irb" | "gem" | "bundle" | "bundler" | "rake" | "erb" => {
            let parts = |text: &str| first(text, 2).replace('.', "_");
            choose("ruby_", &parts(release), of("RUBY_VERSION").map(|text| parts(&text)), &RUBY_RELEASES, "", stem)
        }
        "lua" | "luac" => choose("lua", &first(release, 2).replace('.', "_"), None, &LUA_RELEASES, "", stem),
        "perl" if !release.is_empty() => choose("perl", "", None, &[], "", "perl"),
        _ => None,
    }
}

/// Returns the attribute of a Python release such as `3.11`, and `true` if it is exactly that release.
pub(super) fn python_attribute(release: &str) -> (String, bool) {
    let digits: String = release.split('.').take(2).collect();
    match PYTHON_RELEASES.contains(&digits.as_str()) {
        true => (format!("python{digits}"), true),
        false => ("python3".to_owned(), digits.len() < 2),
    }
}

/// Returns the first components of a version.
fn first(version: &str, parts: usize) -> String {
    version.split('.').take(parts).collect::<Vec<_>>().join(".")
}

/// Returns the digits after one of some words in a path.
fn release_in(path: &str, words: &[&str]) -> String {
    let behind = |word: &&str| {
        let digits: String = path.split_once(*word)?.1.chars().take_while(char::is_ascii_digit).collect();
        (!digits.is_empty()).then_some(digits)
    };
    words.iter().find_map(behind).unwrap_or_default()
}

/// Returns the value of an environment variable in the configuration.
pub(super) fn variable_of(config: &Config, name: &str) -> Option<String> {
    config.env.iter().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
}

/// Returns the upstream version without the additions of package systems; safe to show.
pub(super) fn upstream_version(version: &str, kind: &str) -> String {
    let without_epoch = version.split_once(':').map_or(version, |(_, rest)| rest);
    let bare = match kind {
        "deb" | "rpm" | "apk" => without_epoch.rsplit_once('-').map_or(without_epoch, |(upstream, _)| upstream),
        _ => without_epoch,
    };
    display_name(bare.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_has_its_columns_and_no_attribute_comes_twice() {
        let mut attributes = std::collections::BTreeSet::new();
        for line in TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let columns: Vec<&str> = line.split('|').map(str::trim).collect();
            assert_eq!(columns.len(), 4, "{line}");
            let is_path = columns[0].bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
            assert!(is_path && !columns[0].is_empty(), "{line}");
            assert!(attributes.insert(columns[0]), "{line}");
        }
        assert!(attributes.len() > 300, "{}", attributes.len());
    }

    #[test]
    fn programs_are_known_by_their_files() {
        let (software, config) = (Software::new(), Config::default());
        let cases = [
            ("/usr/sbin/nginx", "nginx", "nginx"),
            ("/usr/sbin/apache2", "apacheHttpd", "httpd"),
            ("/bin/sh", "bash", "sh"),
            ("/usr/bin/sha256sum", "coreutils", "sha256sum"),
            ("/usr/bin/python3.11", PYTHON, "python3.11"),
            ("/usr/lib/jvm/java-17-openjdk-amd64/bin/java", "jdk17_headless", "java"),
            ("/usr/lib/postgresql/15/bin/postgres", "postgresql_15", "postgres"),
            ("/usr/sbin/php-fpm8.2", "php82", "php-fpm"),
            ("/usr/bin/perl5.36.0", "perl", "perl"),
            ("/usr/bin/ruby3.1", "ruby", "ruby"),
            ("/usr/bin/psql", "postgresql", "psql"),
        ];
        for (path, attribute, program) in cases {
            let known = software.program(path.as_bytes(), &config).unwrap();
            assert_eq!((known.attribute.as_str(), known.program.as_str()), (attribute, program), "{path}");
        }
        assert_eq!(software.program(b"/usr/local/bin/my-service", &config), None);
    }

    #[test]
    fn an_image_of_a_language_announces_its_release() {
        let config = Config { env: vec!["NODE_VERSION=20.11.0".into()], ..Config::default() };
        let node = Software::new().program(b"/usr/local/bin/node", &config).unwrap();
        assert_eq!((node.attribute.as_str(), node.is_release, node.is_announced), ("nodejs_20", true, true));
        let config = Config { env: vec!["NODE_VERSION=14.0.0".into()], ..Config::default() };
        let node = Software::new().program(b"/usr/local/bin/node", &config).unwrap();
        assert_eq!((node.attribute.as_str(), node.is_release), ("nodejs", false));
    }

    #[test]
    fn libraries_are_known_by_their_sonames() {
        let software = Software::new();
        let cases: [(&[u8], Option<&str>); 6] = [
            (b"libssl.so.3", Some("openssl")),
            (b"libz.so.1.2.13", Some("zlib")),
            (b"libc-2.31.so", Some("glibc")),
            (b"libstdc++.so.6", Some("stdenv.cc.cc.lib")),
            (b"libmine.so.1", None),
            (b"notes.txt", None),
        ];
        for (name, attribute) in cases {
            assert_eq!(software.library(name), attribute);
        }
    }

    #[test]
    fn versions_lose_what_package_systems_add() {
        let cases = [("1.22.1-9+deb12u1", "deb", "1.22.1"), ("2:3.4-1", "deb", "3.4"), ("1.36.1-r2", "apk", "1.36.1")];
        for (version, kind, upstream) in cases {
            assert_eq!(upstream_version(version, kind), upstream);
        }
        assert_eq!(python_attribute("3.11"), ("python311".to_owned(), true));
        assert_eq!(python_attribute("3.9"), ("python3".to_owned(), false));
    }
}
