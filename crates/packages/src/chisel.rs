//! chisel's manifest of the Ubuntu packages whose slices an image holds: zstd around one JSON object a line
//! (github.com/canonical/chisel, "Chisel manifest" and "jsonwall").

use std::borrow::Cow;
use std::io::Read;

use hashbrown::HashMap;
use serde::Deserialize;

use super::PackageKind;
use super::database::{MAX_DATABASE_BYTES, Malformed};
use super::set::{PackageFields, SetBuilder};

/// Largest zstd window that is accepted: what `zstd -d` takes without `--long`.
const WINDOW_LOG: u32 = 27;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    version: Cow<'a, str>,
    #[serde(borrow, default)]
    arch: Option<Cow<'a, str>>,
    /// `PACKAGE_SLICE`.
    #[serde(borrow, default)]
    slice: Cow<'a, str>,
    #[serde(borrow, default)]
    path: Cow<'a, str>,
}

/// `manifest.wall`: lines of the kind `package` name the packages, those of the kind `content` the paths of each slice.
pub(super) fn parse_manifest(index: usize, content: &[u8], builder: &mut SetBuilder) -> Result<(), Malformed> {
    let text = unpacked(content)?;
    let lines = || text.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice::<Line<'_>>(line).ok());
    if !text.starts_with(b"{\"jsonwall\"") {
        return Err(Malformed("not a manifest of chisel"));
    }
    let mut files: HashMap<String, Vec<String>> = HashMap::new();
    for line in lines().filter(|line| line.kind == "content" && !line.path.ends_with('/')) {
        if let Some((package, _)) = line.slice.rsplit_once('_') {
            files.entry_ref(package).or_default().push(line.path.into_owned());
        }
    }
    for line in lines().filter(|line| line.kind == "package" && !line.name.is_empty()) {
        let begun = builder.begin(PackageFields {
            kind: PackageKind::Deb,
            name: line.name.as_bytes(),
            version: line.version.as_bytes(),
            architecture: line.arch.as_ref().map(|arch| arch.as_bytes()),
            installed_bytes: None,
            licence: None,
            source: None,
            database_file: index,
        });
        let mut paths = files.remove(&*line.name).unwrap_or_default();
        paths.sort();
        // Two slices of a package may share a path.
        paths.dedup();
        for path in paths.iter().filter(|_| begun) {
            builder.add_path(path.as_bytes());
        }
    }
    Ok(())
}

fn unpacked(content: &[u8]) -> Result<Vec<u8>, Malformed> {
    let wrong = |_| Malformed("not a manifest of chisel: its zstd stream is damaged");
    let mut decoder = zstd::stream::read::Decoder::with_buffer(content).map_err(wrong)?;
    decoder.window_log_max(WINDOW_LOG).map_err(wrong)?;
    let mut text = Vec::new();
    let bytes = decoder.take(MAX_DATABASE_BYTES + 1).read_to_end(&mut text).map_err(wrong)?;
    if bytes as u64 > MAX_DATABASE_BYTES {
        return Err(Malformed("a manifest of chisel that is larger than any real one"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::super::{DatabaseFile, PackageKind, Parsed, parse};

    fn read(content: &[u8]) -> Parsed {
        parse(&[DatabaseFile { path: b"/var/lib/chisel/manifest.wall"[..].into(), content }])
    }

    #[test]
    fn packages_and_the_paths_of_their_slices_are_read() {
        let wall = r#"{"jsonwall":"1.0","schema":"1.0","count":7}
{"kind":"content","slice":"base-files_base","path":"/etc/"}
{"kind":"content","slice":"libc6_config","path":"/etc/ld.so.conf"}
{"kind":"content","slice":"libc6_libs","path":"/lib/x86_64-linux-gnu/libc.so.6"}
{"kind":"content","slice":"libc6_other","path":"/etc/ld.so.conf"}
{"kind":"package","name":"base-files","version":"12ubuntu4.6","sha256":"aa","arch":"amd64"}
{"kind":"package","name":"libc6","version":"2.35-0ubuntu3.8","sha256":"bb","arch":"amd64"}
{"kind":"path","path":"/etc/ld.so.conf","mode":"0644","slices":["libc6_config"],"sha256":"cc","size":34}
{"kind":"slice","name":"libc6_libs"}
"#;
        let parsed = read(&zstd::encode_all(wall.as_bytes(), 3).unwrap());
        assert_eq!(parsed.problems, []);
        let [base, libc] = parsed.packages.packages() else { panic!("two packages: {:?}", parsed.packages) };
        assert_eq!((base.kind, &*base.name, &*base.version), (PackageKind::Deb, "base-files", "12ubuntu4.6"));
        assert_eq!((&*libc.name, libc.architecture.as_deref()), ("libc6", Some("amd64")));
        let paths: Vec<Vec<u8>> = parsed.packages.files(libc).map(|file| file.path()).collect();
        assert_eq!(paths, [&b"/etc/ld.so.conf"[..], b"/lib/x86_64-linux-gnu/libc.so.6"]);
        assert_eq!(parsed.packages.files(base).len(), 0, "a directory is not a file of its package");
    }

    #[test]
    fn another_file_of_that_name_is_a_problem() {
        for content in [&b"text"[..], &zstd::encode_all(&b"{}"[..], 1).unwrap(), &[0x28, 0xb5, 0x2f, 0xfd, 0, 0]] {
            let parsed = read(content);
            assert_eq!((parsed.packages.packages().len(), parsed.problems.len()), (0, 1), "{content:?}");
        }
    }
}
