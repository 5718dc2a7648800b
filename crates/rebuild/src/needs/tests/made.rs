use crate::needs::{How, Needs, NeedsOptions, find};
use nixdive_base::cancel::Cancel;
use nixdive_image::Config;
use nixdive_image::testing::archive::{Written, docker_archive, tar_of};
use nixdive_packages::{self, CapturedFile, Inventory};
use nixdive_scan::Section;
use nixdive_source::open::{Keep, OpenOptions, Opened, Progress, open_section};

fn program(path: &str, text: &str) -> Written {
    Written { mode: 0o755, ..Written::file(path, text.as_bytes()) }
}

fn text(path: &str, text: &str) -> Written {
    Written::file(path, text.as_bytes())
}

/// Image of one layer with its needs and its package database.
struct Made {
    opened: Opened,
    needs: Needs,
}

impl Made {
    fn new(entries: &[Written], database: Option<&str>, configure: impl FnOnce(&mut Config)) -> Self {
        Self::with(entries, database, configure, &NeedsOptions::default())
    }

    fn with(
        entries: &[Written],
        database: Option<&str>,
        configure: impl FnOnce(&mut Config),
        options: &NeedsOptions<'_>,
    ) -> Self {
        let mut entries = entries.to_vec();
        entries.extend(database.map(|content| text("lib/apk/db/installed", content)));
        let bytes: &'static [u8] = Vec::leak(docker_archive(&[tar_of(&entries)]));
        let section = Section::new(std::sync::Arc::new(bytes), 0, bytes.len() as u64);
        let opening = OpenOptions { keep: Keep::AnyContent, ..OpenOptions::default() };
        let mut opened = open_section(section, "test", &opening, &Progress::new()).unwrap();
        opened.image.config.env = Vec::new();
        configure(&mut opened.image.config);
        let top = opened.image.tree.top_layer().unwrap();
        let packages = database.map_or_else(Inventory::default, |content| {
            let file = CapturedFile { layer: top, path: b"/lib/apk/db/installed", content: content.as_bytes() };
            nixdive_packages::find(&opened.image.tree, top, &[file])
        });
        let needs = find(&opened.image, &opened.contents, &packages, options, &Cancel::new()).unwrap();
        Self { opened, needs }
    }

    fn how(&self, path: &str) -> Option<How> {
        let node = self.opened.image.tree.lookup(path.as_bytes())?;
        self.needs.reasons[node.index()].map(|reason| reason.how)
    }

    fn chain(&self, path: &str) -> String {
        self.needs.describe(&self.opened.image, self.opened.image.tree.lookup(path.as_bytes()).unwrap())
    }
}

const DATABASE: &str = "P:base\nV:1\nF:usr/bin\nR:sh\nR:busybox\nR:ls\nR:cat\nR:unused\nF:etc\nR:base.conf\n\n";

fn system() -> Vec<Written> {
    vec![
        Written::symlink("bin", "usr/bin"),
        program("usr/bin/busybox", "a program"),
        Written::symlink("usr/bin/sh", "busybox"),
        Written::symlink("usr/bin/ls", "busybox"),
        program("usr/bin/cat", "another program"),
        program("usr/bin/unused", "nothing calls it"),
        text("etc/base.conf", ""),
        text("etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:7:7::/home/app:/bin/sh\n"),
        Written::directory("home/app"),
        Written::directory("tmp"),
    ]
}

fn with(more: impl IntoIterator<Item = Written>) -> Vec<Written> {
    let mut entries = system();
    entries.extend(more);
    entries
}

#[test]
fn a_script_keeps_what_it_calls_with_every_link_on_the_way() {
    let entries = with([program("usr/local/bin/start", "#!/bin/sh\nls /srv\n[ -e x ] && exec cat y\n")]);
    let made = Made::new(&entries, Some(DATABASE), |config| config.entrypoint = vec!["start".into()]);
    assert_eq!(made.how("/usr/local/bin/start"), Some(How::Entrypoint(0)));
    assert_eq!(made.how("/bin"), Some(How::LinkOnTheWay));
    assert_eq!(made.how("/usr/bin/sh"), Some(How::LinkOnTheWay));
    assert_eq!(made.how("/usr/bin/busybox"), Some(How::Shebang));
    assert_eq!(made.how("/usr/bin/cat"), Some(How::ScriptCommand));
    assert_eq!(made.how("/usr/bin/unused"), None);
    assert_eq!(made.chain("/usr/bin/cat"), "Entrypoint → /usr/local/bin/start → /usr/bin/cat (called)");
    assert!(made.needs.missing.is_empty() && made.needs.doubts.is_empty());
}

#[test]
fn a_program_in_javascript_keeps_the_commands_that_it_starts() {
    let entries = with([
        program("usr/local/bin/start", "#!/bin/sh\nexec /opt/app/main.js\n"),
        text("opt/app/main.js", "const {exec} = require('child_process');\nexec('ls /srv | cat', done);\n"),
    ]);
    let made = Made::new(&entries, Some(DATABASE), |config| config.entrypoint = vec!["start".into()]);
    assert_eq!(
        made.chain("/usr/bin/cat"),
        "Entrypoint → /usr/local/bin/start → /opt/app/main.js (called) → /usr/bin/cat (called)"
    );
    assert_eq!(made.how("/usr/bin/unused"), None);
}

#[test]
fn a_shell_to_log_in_with_is_not_kept_for_it() {
    let entries = with([
        program("usr/local/bin/start", "#!/usr/bin/cat\nid /etc/passwd /etc/shells\n"),
        text("etc/passwd", "root:x:0:0:root:/root:/usr/bin/unused\n"),
        text("etc/shells", "/usr/bin/unused\n"),
    ]);
    let made = Made::new(&entries, Some(DATABASE), |config| config.entrypoint = vec!["start".into()]);
    assert_eq!(made.how("/etc/passwd"), Some(How::NamedPath));
    assert_eq!(made.how("/usr/bin/unused"), None);
}

#[test]
fn units_of_an_init_are_not_kept_for_being_named() {
    let unit = "[Service]\nExecStart=/usr/bin/unused\n";
    let entries = with([
        program("usr/local/bin/start", "#!/bin/sh\nls /etc/systemd/system /usr/lib/systemd/system\n"),
        text("etc/systemd/system/unused.service", unit),
        text("usr/lib/systemd/system/unused.service", unit),
    ]);
    let database = format!(
        "{DATABASE}P:init\nV:1\nF:etc/systemd/system\nR:unused.service\nF:usr/lib/systemd/system\nR:unused.service\n\n"
    );
    let made = Made::new(&entries, Some(&database), |config| config.entrypoint = vec!["start".into()]);
    assert_eq!(made.how("/usr/lib/systemd/system/unused.service"), None);
    assert_eq!(made.how("/usr/bin/unused"), None);
}

#[test]
fn what_the_configuration_names_is_needed() {
    let entries = with([
        text("srv/app/run.sh", "cat /opt/data/x\n"),
        text("opt/data/x", "x"),
        text("etc/certificates.pem", ""),
        Written::directory("var/volume"),
    ]);
    let made = Made::new(&entries, Some(DATABASE), |config| {
        config.entrypoint = vec!["/bin/sh".into()];
        config.cmd = vec!["run.sh".into()];
        config.working_directory = "/srv/app".into();
        config.env = vec!["SSL_CERT_FILE=/etc/certificates.pem".into()];
        config.volumes = vec!["/var/volume".into()];
        config.user = "app".into();
    });
    assert_eq!(made.how("/srv/app/run.sh"), Some(How::Command(0)));
    assert_eq!(made.how("/opt/data/x"), Some(How::NamedPath));
    assert_eq!(made.how("/etc/certificates.pem"), Some(How::Environment(0)));
    assert_eq!(made.how("/var/volume"), Some(How::Volume(0)));
    assert_eq!(made.how("/home/app"), Some(How::ExpectedDirectory));
    assert_eq!(made.how("/usr/bin/cat"), Some(How::ScriptCommand));
    assert_eq!(made.how("/tmp"), Some(How::ExpectedDirectory));
}

#[test]
fn what_no_package_owns_is_the_application_but_not_what_installing_left_behind() {
    let entries = with([
        text("srv/page.html", "<p>"),
        text("opt/app/data.bin", "data"),
        text("var/cache/apk/x.apk", "package"),
        text("var/log/install.log", "done"),
        text("etc/passwd-", "old"),
        text("opt/app/__pycache__/x.pyc", "compiled"),
    ]);
    let made = Made::new(&entries, Some(DATABASE), |config| config.entrypoint = vec!["/bin/cat".into()]);
    for (path, expected) in [
        ("/srv/page.html", Some(How::Unowned)),
        ("/opt/app/data.bin", Some(How::Unowned)),
        ("/var/cache/apk/x.apk", None),
        ("/var/log/install.log", None),
        ("/etc/passwd-", None),
        ("/opt/app/__pycache__/x.pyc", None),
        ("/usr/bin/unused", None),
    ] {
        assert_eq!(made.how(path), expected, "{path}");
    }
    let all = Made::new(&entries, None, |config| config.entrypoint = vec!["/bin/cat".into()]);
    assert_eq!(all.how("/usr/bin/unused"), Some(How::Unowned), "without a database, everything is the application");
}

#[test]
fn missing_files_are_reported_with_the_path_that_needs_them() {
    let entries =
        with([program("usr/bin/start", "#!/usr/bin/env nothing\n"), Written::symlink("usr/bin/env", "busybox")]);
    let made = Made::new(&entries, Some(DATABASE), |config| config.entrypoint = vec!["start".into()]);
    let missing: Vec<(How, &str)> = made.needs.missing.iter().map(|one| (one.how, one.name.as_str())).collect();
    assert_eq!(missing, [(How::Shebang, "nothing")]);
    let made = Made::new(&system(), Some(DATABASE), |config| config.entrypoint = vec!["/no\u{1b}such".into()]);
    let missing: Vec<(How, &str)> = made.needs.missing.iter().map(|one| (one.how, one.name.as_str())).collect();
    assert_eq!(missing, [(How::Entrypoint(0), "/no\\x1bsuch")]);
}

#[test]
fn the_user_may_keep_more() {
    let is_kept = |path: &[u8]| path == b"/usr/bin/unused";
    let options = NeedsOptions { is_kept: Some(&is_kept), ..NeedsOptions::default() };
    let made = Made::with(&system(), Some(DATABASE), |config| config.entrypoint = vec!["cat".into()], &options);
    assert_eq!(made.how("/usr/bin/unused"), Some(How::Asked));
}

#[test]
fn configuration_names_files_beside_it_and_patterns() {
    let entries = with([
        program("usr/bin/start", "#!/bin/sh\ncat /etc/app/main.conf\n"),
        text("etc/app/main.conf", "include part.conf;\n# /etc/app/comment\ninclude /etc/app/d/*.conf;\n"),
        text("etc/app/part.conf", ""),
        text("etc/app/comment", ""),
        text("etc/app/d/one.conf", ""),
        text("etc/app/d/two.txt", ""),
    ]);
    let database = format!(
        "{DATABASE}P:app\nV:1\nF:etc/app\nR:main.conf\nR:part.conf\nR:comment\nF:etc/app/d\nR:one.conf\nR:two.txt\n\n"
    );
    let made = Made::new(&entries, Some(&database), |config| config.entrypoint = vec!["start".into()]);
    for (path, expected) in
        [("main.conf", true), ("part.conf", true), ("d/one.conf", true), ("comment", false), ("d/two.txt", false)]
    {
        assert_eq!(made.how(&format!("/etc/app/{path}")).is_some(), expected, "{path}");
    }
}

#[test]
fn a_script_finds_its_neighbours_and_programs_that_look_around_are_reported() {
    let start = "#!/bin/sh\nhere=$(dirname \"$(readlink -f \"$0\")\")\n. \"$here/functions\"\nexec $here/../lib/tool\n";
    let entries = with([
        program("usr/bin/start", start),
        program("usr/lib/tool", "#!/bin/sh\ncat x\n"),
        text("usr/bin/functions", "ls\n"),
        text("usr/lib/other", ""),
    ]);
    let database =
        "P:base\nV:1\nF:usr/bin\nR:sh\nR:busybox\nR:ls\nR:cat\nR:start\nR:functions\nF:usr/lib\nR:tool\nR:other\n\n";
    let made = Made::new(&entries, Some(database), |config| config.entrypoint = vec!["start".into()]);
    assert_eq!(made.how("/usr/bin/functions"), Some(How::NamedPath));
    assert!(made.how("/usr/bin/ls").is_some(), "the functions call it");
    assert_eq!(made.chain("/usr/lib/tool"), "Entrypoint → /usr/bin/start → /usr/lib/tool (named)");
    assert_eq!(made.how("/usr/lib/other"), None);
    let looking: Vec<Vec<u8>> = made.needs.look_around.iter().map(|&node| made.opened.image.tree.path(node)).collect();
    assert_eq!(looking, [b"/usr/bin/start"]);
}

#[test]
fn commands_in_configuration_are_kept() {
    let entries = with([
        program("usr/local/bin/start", "#!/bin/sh\nexec npm start\n"),
        program("usr/local/bin/npm", "#!/bin/sh\n"),
        text("etc/supervisor/app.conf", "[program:list]\ncommand=ls -l\n;command=unused\n"),
        text("app/package.json", r#"{"name":"unused","scripts":{"start":"cat x | node main.js"}}"#),
        text("app/node_modules/dep/package.json", r#"{"scripts":{"start":"unused"}}"#),
    ]);
    let made = Made::new(&entries, Some(DATABASE), |config| config.entrypoint = vec!["start".into()]);
    assert!(made.chain("/usr/bin/ls").starts_with("no package owns it → /etc/supervisor/app.conf → /usr/bin/ls"));
    assert_eq!(made.chain("/usr/bin/cat"), "no package owns it → /app/package.json → /usr/bin/cat (called)");
    assert_eq!(made.how("/usr/bin/unused"), None);
}

#[test]
fn a_directory_of_its_own_that_a_variable_names_is_kept_with_its_links() {
    let database = format!(
        "{DATABASE}P:server\nV:1\nF:var/lib/server\nR:conf\nR:data\nF:etc/server\nR:server.xml\nF:var/lib/other\nR:data\n\n"
    );
    let entries = with([
        Written::symlink("var/lib/server/conf", "/etc/server"),
        text("var/lib/server/data", ""),
        text("var/lib/other/data", ""),
        text("etc/server/server.xml", ""),
    ]);
    let made = Made::new(&entries, Some(&database), |config| {
        config.entrypoint = vec!["sh".into()];
        config.env = vec!["SERVER_BASE=/var/lib/server".into(), "ALL_DIR=/var/lib".into()];
    });
    assert!(made.how("/var/lib/server/data").is_some());
    assert_eq!(made.how("/etc/server/server.xml"), Some(How::LinkTarget));
    assert_eq!(made.how("/var/lib/other/data"), None);
}

#[test]
fn archives_of_java_keep_those_beside_them() {
    let jar = crate::needs::jar::tests::jar("Class-Path: compiler.jar\r\n", true);
    let database = format!("{DATABASE}P:java\nV:1\nF:usr/share/java\nR:server.jar\nR:compiler.jar\nR:other.jar\n\n");
    let entries = with([
        Written::symlink("opt/lib/server.jar", "/usr/share/java/server.jar"),
        Written::file("usr/share/java/server.jar", &jar),
        text("usr/share/java/compiler.jar", "PK"),
        text("usr/share/java/other.jar", "PK"),
    ]);
    let made = Made::new(&entries, Some(&database), |config| config.entrypoint = vec!["sh".into()]);
    assert_eq!(made.how("/usr/share/java/compiler.jar"), Some(How::NamedPath));
    assert_eq!(made.how("/usr/share/java/other.jar"), None);
    assert_eq!(made.needs.look_around.len(), 1, "it is looked for where the link leads");
}

#[test]
fn what_is_run_as_another_user_is_followed() {
    let entries = with([program("usr/bin/su", ""), program("usr/bin/gosu", "")]);
    for words in [vec!["su", "app", "-c", "exec cat x"], vec!["gosu", "app", "cat"]] {
        let made = Made::new(&entries, Some(DATABASE), |config| {
            config.entrypoint = words.iter().map(|&word| word.to_owned()).collect();
        });
        assert!(made.how("/usr/bin/cat").is_some(), "{words:?}");
        assert_eq!(made.how("/usr/bin/unused"), None);
    }
}

/// Builds an x86-64 program with these directories in `DT_RPATH` and these needed libraries.
fn elf(rpath: &str, needed: &[String]) -> Vec<u8> {
    const HEADERS: usize = 64 + 2 * 56;
    let mut strings = vec![0];
    let mut string = |text: &str| {
        let at = strings.len() as u64;
        strings.extend_from_slice(text.as_bytes());
        strings.push(0);
        at
    };
    let mut dynamic: Vec<(u64, u64)> = needed.iter().map(|name| (1, string(name))).collect();
    dynamic.push((15, string(rpath)));
    let table = HEADERS + 16 * (dynamic.len() + 3);
    dynamic.extend([(5, table as u64), (10, strings.len() as u64), (0, 0)]);
    let whole = table + strings.len();
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend([3u16, 62].iter().flat_map(|field| field.to_le_bytes()));
    bytes.extend(1u32.to_le_bytes());
    bytes.extend([0u64, 64, 0].iter().flat_map(|field| field.to_le_bytes()));
    bytes.extend(0u32.to_le_bytes());
    bytes.extend([64u16, 56, 2, 64, 0, 0].iter().flat_map(|field| field.to_le_bytes()));
    for (kind, offset, length) in [(1u32, 0, whole), (2, HEADERS, 16 * dynamic.len())] {
        bytes.extend(kind.to_le_bytes());
        bytes.extend(4u32.to_le_bytes());
        let (offset, length) = (offset as u64, length as u64);
        bytes.extend([offset, offset, offset, length, length, 8].iter().flat_map(|field| field.to_le_bytes()));
    }
    bytes.extend(dynamic.iter().flat_map(|&(tag, value)| [tag.to_le_bytes(), value.to_le_bytes()].concat()));
    bytes.extend(&strings);
    bytes
}

#[test]
fn many_directories_and_names_of_libraries_take_little_time() {
    let directories: Vec<String> = (0..900).map(|number| format!("/opt/{number}")).collect();
    let rpath = format!("{}:/opt/last", directories.join(":"));
    let mut needed: Vec<String> = (0..400).map(|number| format!("lib{number}.so")).collect();
    needed.push("libreal.so".to_owned());
    let program = |number: usize| Written {
        mode: 0o755,
        ..Written::file(&format!("app/p{number}"), &elf(&format!("{rpath}:/x/{number}"), &needed))
    };
    let calls: String = (0..30).map(|number| format!("/app/p{number}\n")).collect();
    let mut entries = with((0..30).map(program));
    entries.push(Written { mode: 0o755, ..Written::file("app/start", format!("#!/bin/sh\n{calls}").as_bytes()) });
    entries.push(Written::file("opt/last/libreal.so", &elf("", &[])));
    let began = std::time::Instant::now();
    let made = Made::new(&entries, None, |config| config.entrypoint = vec!["/app/start".to_owned()]);
    // Twelve million lookups took more than a minute in a build without optimisation.
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    let is_missing = |name: &str| made.needs.missing.iter().any(|missing| missing.name == name);
    assert!(made.how("/opt/last/libreal.so").is_some() && !is_missing("libreal.so"), "it is in the last directory");
    assert!(is_missing("lib7.so"));
}
