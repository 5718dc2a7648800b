//! Package lists that images assembled without an RPM database carry: `/var/lib/rpmmanifest/container-manifest-2`, a
//! line a package, written by `rpm --query` with tabs between the fields (Azure Linux, "Distroless containers").

use crate::PackageKind;
use crate::database::Malformed;
use crate::set::{PackageFields, SetBuilder};

/// Places of the fields: name, version and release, time installed, time built, vendor, epoch, bytes, architecture.
const NAME: usize = 0;
const VERSION: usize = 1;
const EPOCH: usize = 5;
const BYTES: usize = 6;
const ARCHITECTURE: usize = 7;

/// Reads all packages. Lines with too few fields are an error once all others were read.
pub(crate) fn parse_manifest(index: usize, content: &[u8], builder: &mut SetBuilder) -> Result<(), Malformed> {
    let mut result = Ok(());
    for line in content.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        let fields: Vec<&[u8]> = line.split(|&byte| byte == b'\t').map(<[u8]>::trim_ascii).collect();
        let field = |place: usize| fields.get(place).copied().unwrap_or_default();
        if field(NAME).is_empty() || field(VERSION).is_empty() {
            result = Err(Malformed("not a list of RPM packages in every line"));
            continue;
        }
        let version = match field(EPOCH) {
            epoch if epoch.is_empty() || epoch == b"0" || !epoch.iter().all(u8::is_ascii_digit) => {
                field(VERSION).to_vec()
            }
            epoch => [epoch, b":", field(VERSION)].concat(),
        };
        builder.begin(PackageFields {
            kind: PackageKind::Rpm,
            name: field(NAME),
            version: &version,
            architecture: Some(field(ARCHITECTURE)).filter(|architecture| !architecture.is_empty()),
            installed_bytes: std::str::from_utf8(field(BYTES)).ok().and_then(|bytes| bytes.parse().ok()),
            licence: None,
            source: None,
            database_file: index,
        });
    }
    result
}

#[cfg(test)]
mod tests {
    use crate::{DatabaseFile, parse};

    #[test]
    fn a_line_is_a_package() {
        let content = b"glibc\t2.35-3.cm2\t1653816591\t1653628955\tMicrosoft Corporation\t(none)\t10855265\tx86_64\t0\tglibc-2.35-3.cm2.src.rpm\n\
            openssl\t1.1.1k-15.cm2\t1653816591\t1653631609\tMicrosoft Corporation\t2\t1263421\tx86_64\t2\topenssl-1.1.1k-15.cm2.src.rpm\n";
        let file = DatabaseFile { path: b"/var/lib/rpmmanifest/container-manifest-2"[..].into(), content };
        let parsed = parse(&[file]);
        let [glibc, openssl] = parsed.packages.packages() else { panic!("two packages") };
        assert_eq!((&*glibc.name, &*glibc.version, glibc.installed_bytes), ("glibc", "2.35-3.cm2", Some(10_855_265)));
        assert_eq!((&*openssl.version, openssl.architecture.as_deref()), ("2:1.1.1k-15.cm2", Some("x86_64")));
        assert_eq!(parsed.problems, []);
    }
}
