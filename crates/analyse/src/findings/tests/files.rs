use super::*;

/// An ELF file with one section that is not loaded.
fn program(symbols: u64) -> Vec<u8> {
    let mut bytes = vec![0u8; 64];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[16] = 2;
    bytes.resize(64 + symbols as usize, 7);
    let table = bytes.len() as u64;
    bytes[40..48].copy_from_slice(&table.to_le_bytes());
    (bytes[58], bytes[60], bytes[62]) = (64, 2, 1);
    for (kind, length) in [(2u8, symbols), (3, 10)] {
        let mut header = [0u8; 64];
        header[4] = kind;
        header[32..40].copy_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&header);
    }
    bytes
}

fn with_mode(path: &str, mode: u16) -> Written {
    Written { mode, ..file(path, "x") }
}

fn large(image: &mut Image) {
    image.layers[0].unpacked_bytes = 300_000_000;
}

fn git(root: &str) -> Vec<Written> {
    vec![big(&format!("{root}/.git/objects/pack/pack-1.pack"), 9000), file(&format!("{root}/.gitignore"), "target")]
}

/// An image whose files of one kind are in the first path, and ordinary ones in the second.
fn placed(rule: Rule, bad: &str, good: &str) -> Case {
    case(rule, one(vec![big(bad, 20_000)]), one(vec![big(good, 20_000)]))
}

pub fn cases() -> Vec<Case> {
    let apk = "P:gcc\nV:13\nF:usr/bin\nR:gcc\n\nP:libgcc\nV:13\nF:usr/lib\nR:libgcc_s.so.1\n\n";
    let runtime = "P:libgcc\nV:13\nF:usr/lib\nR:libgcc_s.so.1\n\n";
    let installed = |database: &str| {
        one(vec![file("lib/apk/db/installed", database), big("usr/bin/gcc", 9000), big("usr/lib/libgcc_s.so.1", 9000)])
    };
    let twice = |second: &str| one(vec![big("opt/a", 9000), Written::file(second, &big("opt/a", 9000).content)]);
    vec![
        placed(Rule::PackageCache, "var/lib/apt/lists/deb_Packages", "var/lib/apt/extended_states"),
        placed(Rule::PackageCache, "home/app/.cache/pip/wheel", "home/app/cache/pip/wheel"),
        placed(Rule::Temporary, "var/log/dpkg.log", "var/lib/log"),
        placed(Rule::Documentation, "usr/share/doc/x/changelog.gz", "usr/share/doc/x/copyright"),
        placed(Rule::Locales, "usr/share/locale/de/LC_MESSAGES/x.mo", "usr/share/local/x"),
        placed(Rule::DevelopmentFiles, "usr/lib/x86_64-linux-gnu/libx.a", "usr/lib/x86_64-linux-gnu/libx.so.1"),
        placed(Rule::DevelopmentFiles, "usr/include/stdio.h", "opt/app/include/page.html"),
        placed(Rule::BuildTools, "usr/local/go/bin/go", "usr/local/gopher"),
        case(Rule::BuildTools, installed(apk), installed(runtime)),
        placed(Rule::Bytecode, "usr/lib/python3/__pycache__/a.pyc", "usr/lib/python3/a.py"),
        placed(Rule::TestSuite, "opt/v/lib/python3.11/site-packages/numpy/tests/t.py", "srv/tests/t.py"),
        case(Rule::VersionControl, one(git("app")), one(vec![file("app/.gitignore", "target")])),
        case(
            Rule::Unstripped,
            one(vec![Written::file("bin/a", &program(100_000))]),
            one(vec![Written::file("bin/a", &program(1000))]),
        ),
        case(
            Rule::DuplicateContent,
            one(vec![big("opt/a", 20_000), Written::file("opt/b", &big("opt/a", 20_000).content)]),
            twice("usr/share/doc/copyright"),
        ),
        case(
            Rule::HiddenCopies,
            layers(vec![vec![big("a", 9000)], vec![big("a", 9001)]]),
            layers(vec![vec![big("a", 9000)], vec![big("b", 9001)]]),
        ),
        case(
            Rule::WritesThroughLink,
            layers(vec![vec![Written::symlink("bin", "usr/bin")], vec![file("bin/a", "a")]]),
            layers(vec![vec![Written::symlink("bin", "usr/bin")], vec![file("usr/bin/a", "a")]]),
        ),
        case(Rule::OversizedLayer, one(vec![file("a", "a")]).configured(large), one(vec![file("a", "a")])),
        case(Rule::SetUid, one(vec![with_mode("usr/bin/su", 0o4755)]), one(vec![with_mode("usr/bin/su", 0o755)])),
        case(
            Rule::WorldWritable,
            one(vec![Written { mode: 0o777, ..Written::directory("srv") }]),
            one(vec![Written { mode: 0o1777, ..Written::directory("tmp") }, Written::symlink("a", "b")]),
        ),
        case(
            Rule::RootUser,
            one(vec![file("a", "a")]).configured(|image| image.config.user = "0:0".to_owned()),
            one(vec![file("a", "a")]).configured(|image| image.config.user = "app".to_owned()),
        ),
        case(
            Rule::NoCaBundle,
            one(vec![file("usr/lib/libssl.so.3", "x")]),
            one(vec![file("usr/lib/libssl.so.3", "x"), file("etc/ssl/certs/ca-certificates.crt", "x")]),
        ),
        case(Rule::FileCapability, capable("security.capability"), capable("user.capability")),
    ]
}

/// A program with an attribute of that name, in a PAX header.
fn capable(name: &str) -> Made {
    let value = b"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
    let record = [format!("SCHILY.xattr.{name}=").as_bytes(), &value[..], b"\n"].concat();
    let mut length = record.len() + 3;
    length += usize::from(length >= 100) - usize::from(length < 10 + 3);
    let content = [format!("{length} ").as_bytes(), &record].concat();
    assert_eq!(content.len(), length);
    one(vec![Written { flag: b'x', ..Written::file("pax", &content) }, with_mode("usr/bin/web", 0o755)])
}

#[test]
fn hits_are_told_by_the_directory_that_stands_for_them() {
    let made = one(vec![
        big("var/lib/apt/lists/a/one", 20_000),
        big("var/lib/apt/lists/two", 20_000),
        big("root/.cache/pip/three", 30_000),
    ]);
    let judged = made.judge();
    let finding = judged.of(Rule::PackageCache).unwrap();
    assert_eq!((finding.bytes, finding.count), (70_000, 3));
    assert_eq!(judged.places(Rule::PackageCache), ["/var/lib/apt/lists", "/root/.cache"]);
}

#[test]
fn a_byte_that_two_rules_would_save_counts_once_in_the_total() {
    // A cache that is hidden above, a header that belongs to a development package, a file that is there twice.
    let copy = big("opt/a", 20_000).content;
    let database = "P:musl-dev\nV:1\nF:usr/include\nR:x.h\n\n";
    let made = layers(vec![
        vec![file("lib/apk/db/installed", database), big("usr/include/x.h", 30_000), Written::file("opt/a", &copy)],
        vec![big("opt/b", 10_000), Written::file("opt/c", &copy)],
        vec![big("opt/b", 10_001)],
    ]);
    let judged = made.judge();
    let bytes = |rule| judged.of(rule).unwrap().bytes;
    assert_eq!(bytes(Rule::BuildTools), 30_000);
    assert_eq!(bytes(Rule::DevelopmentFiles), 30_000);
    assert_eq!(bytes(Rule::HiddenCopies), 10_000);
    assert_eq!(bytes(Rule::DuplicateContent), 20_000);
    assert_eq!(judged.found.reclaimable_bytes, 60_000);
}

#[test]
fn findings_come_by_bytes_and_then_by_severity() {
    let judged =
        one(vec![big("var/log/a", 20_000), big("usr/include/b.h", 40_000), with_mode("bin/su", 0o4755)]).judge();
    let ids: Vec<&str> = judged.found.list.iter().map(|finding| finding.rule.id()).collect();
    assert_eq!(ids, ["image.development-files", "image.temporary-files", "image.root-user", "image.set-uid"]);
}

#[test]
fn an_unusual_set_uid_program_weighs_more_than_the_usual_ones() {
    let of = |name: &str| one(vec![with_mode(name, 0o4755)]).judge().of(Rule::SetUid).unwrap().severity;
    assert_eq!(of("usr/bin/passwd"), crate::findings::Severity::Information);
    assert_eq!(of("usr/bin/backdoor"), crate::findings::Severity::Warning);
}

#[test]
fn capabilities_are_named() {
    let judged = capable("security.capability").judge();
    assert_eq!(judged.of(Rule::FileCapability).unwrap().evidence[0].note.as_deref(), Some("net_bind_service"));
}
