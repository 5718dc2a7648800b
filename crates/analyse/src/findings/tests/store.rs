use super::*;
use crate::findings::Severity;
use nixdive_nix::StorePath;
use nixdive_nix::study::RecordedPath;

/// A store path of a name, with a hash of one digit.
fn path(digit: char, name: &str) -> String {
    format!("nix/store/{}-{name}", digit.to_string().repeat(32))
}

/// A store path with one file, which names others.
fn package(digit: char, name: &str, bytes: usize, refers: &[&str]) -> Vec<Written> {
    let root = path(digit, name);
    let references: String = refers.iter().map(|to| format!("/{to} ")).collect();
    vec![Written::directory(&root), big(&format!("{root}/data"), bytes), file(&format!("{root}/refs"), &references)]
}

/// The layer of a program `web` that is started, with all else that it refers to.
fn image(others: Vec<Vec<Written>>) -> Made {
    let roots: Vec<String> = others.iter().map(|entries| String::from_utf8(entries[0].path.clone()).unwrap()).collect();
    let names: Vec<&str> = roots.iter().map(String::as_str).collect();
    let mut entries = package('a', "web-1.0", 1000, &names);
    entries.extend(others.into_iter().flatten());
    one(entries).configured(start)
}

fn start(image: &mut Image) {
    image.config.entrypoint = vec![format!("/{}/data", path('a', "web-1.0"))];
}

fn holding(name: &str, inner: &str) -> Made {
    let root = path('b', name);
    image(vec![vec![Written::directory(&root), big(&format!("{root}/{inner}"), 30_000)]])
}

fn recorded(bytes: u64) -> RecordedStore {
    let path = StorePath::parse(format!("/{}", path('a', "web-1.0")).as_bytes()).unwrap();
    RecordedStore { paths: vec![RecordedPath { path, references: Vec::new(), nar_hash: None, nar_bytes: Some(bytes) }] }
}

fn shebang(line: &str) -> Made {
    let script = path('b', "tool-1.0");
    let perl = package('c', "perl-5.36.0", 2_000_000, &[]);
    let first = vec![Written::directory(&script), file(&format!("{script}/bin/rehash"), line)];
    let mut entries = package('a', "web-1.0", 1000, &[&script]);
    entries.extend(first);
    entries.extend(perl);
    one(entries).configured(start)
}

fn copied(layer: &str) -> Made {
    let first = package('a', "web-1.0", 9000, &[]);
    layers(vec![first, vec![big(&format!("{}/{layer}", path('a', "web-1.0")), 9001)]]).configured(start)
}

fn crowded(bytes: usize) -> Made {
    let library = package('b', "lib-1", bytes, &[]);
    let mut top = package('a', "web-1.0", 1000, &[&path('b', "lib-1")]);
    top.extend(library);
    layers(vec![vec![file("etc/passwd", "")], top]).configured(start)
}

pub fn cases() -> Vec<Case> {
    let alone = || image(Vec::new());
    let two = |first: &str, second: &str| image(vec![package('b', first, 9000, &[]), package('c', second, 9001, &[])]);
    let unheld = || {
        let mut entries = package('a', "web-1.0", 1000, &[]);
        entries.extend(package('b', "left-2", 9000, &[]));
        one(entries).configured(start)
    };
    let gone = |text: &str| {
        let mut entries = package('a', "web-1.0", 1000, &[]);
        entries.push(Written::symlink("bin/gone", text));
        one(entries).configured(start)
    };
    let perl = format!("#!/{}/bin/perl\n", path('c', "perl-5.36.0"));
    let uses = format!("#!/bin/sh\nexec /{}/bin/perl\n", path('c', "perl-5.36.0"));
    vec![
        case(
            Rule::DevOutput,
            image(vec![package('b', "zlib-1.3-dev", 9000, &[])]),
            image(vec![package('b', "zlib-1.3", 9000, &[])]),
        ),
        case(
            Rule::Toolchain,
            image(vec![package('b', "gcc-12.2.0", 9000, &[])]),
            image(vec![package('b', "gcc-12.2.0-lib", 9000, &[])]),
        ),
        case(
            Rule::Toolchain,
            image(vec![package('b', "x86_64-unknown-linux-musl-gcc-13.2.0", 9000, &[])]),
            image(vec![package('b', "x86_64-unknown-linux-musl-gcc-13.2.0-lib", 9000, &[])]),
        ),
        case(
            Rule::Toolchain,
            image(vec![package('b', "aarch64-unknown-linux-gnu-binutils-2.41", 9000, &[])]),
            image(vec![package('b', "aarch64-unknown-linux-gnu-hello-2.12", 9000, &[])]),
        ),
        case(
            Rule::NixDevelopmentFiles,
            holding("zlib-1.3", "include/zlib.h"),
            holding("zlib-1.3-dev", "include/zlib.h"),
        ),
        case(Rule::NixDocumentation, holding("a-1", "share/man/man1/a.1.gz"), holding("a-1", "share/a/man.js")),
        case(Rule::NixLocales, holding("a-1", "share/locale/de/a.mo"), holding("a-1", "share/a/locale.js")),
        case(
            Rule::NixBytecode,
            holding("a-1", "lib/python3.11/__pycache__/a.pyc"),
            holding("a-1", "lib/python3.11/a.py"),
        ),
        case(Rule::NixTestSuite, holding("a-1", "lib/python3.11/test/a.py"), holding("a-1", "share/test/a.py")),
        case(Rule::SeveralVersions, two("icu-72.1", "icu-73.2"), two("icu-72.1", "icu-72.1-dev")),
        case(
            Rule::SeveralVersions,
            two("python3-3.11.2", "python3-3.12.1"),
            two("python3-3.11.2", "python3-3.11.2-env"),
        ),
        case(
            Rule::SeveralVersions,
            two("vim-9.1.0-wrapped", "vim-9.0.1-wrapped"),
            two("vim-9.1.0-wrapped", "vim-9.0.1-unwrapped"),
        ),
        case(Rule::SeveralBuilds, two("icu-72.1", "icu-72.1"), two("run", "run")),
        case(Rule::Unreachable, unheld(), alone()),
        case(Rule::SeveralLayers, copied("data"), alone()),
        case(Rule::CatchAllLayer, crowded(21_000_000), crowded(9000)),
        case(Rule::InterpreterByShebang, shebang(&perl), shebang(&uses)),
        case(
            Rule::Created1970,
            image(Vec::new()).configured(|image| image.config.created = Some("1970-01-01T00:00:01Z".to_owned())),
            image(Vec::new()).configured(|image| image.config.created = Some("2024-01-01T00:00:01Z".to_owned())),
        ),
        case(
            Rule::DatabaseDisagrees,
            Made { recorded: Some(recorded(7)), ..alone() },
            Made { recorded: None, ..alone() },
        ),
        case(
            Rule::Dangling,
            gone(&format!("/{}/bin/x", path('d', "gone-1"))),
            gone(&format!("/{}/data", path('a', "web-1.0"))),
        ),
    ]
}

#[test]
fn a_chain_leads_from_what_is_started_to_what_should_not_be_there() {
    let library = package('b', "lib-1", 9000, &[&path('c', "go-1.20")]);
    let mut made = image(vec![library]);
    made.layers[0].extend(package('c', "go-1.20", 50_000, &[]));
    let judged = made.judge();
    let finding = judged.of(Rule::Toolchain).unwrap();
    let Location::StorePath { chain, reason, .. } = &finding.evidence[0].location else { panic!("no store path") };
    let names: Vec<&str> =
        chain.iter().map(|&id| judged.store.as_ref().unwrap().get_path(id).unwrap().name()).collect();
    assert_eq!(names, ["web-1.0", "lib-1", "go-1.20"]);
    assert_eq!(*reason, Some(nixdive_nix::contents::RootSource::Entrypoint(0)));
    assert!(finding.bytes >= 50_000, "{}", finding.bytes);
}

#[test]
fn what_leaves_with_two_paths_is_more_than_what_leaves_with_each() {
    // Both compilers hold the library, so that it leaves only when both do.
    let library = path('d', "mpfr-4");
    let mut made =
        image(vec![package('b', "gcc-12.2.0", 9000, &[&library]), package('c', "go-1.20", 9000, &[&library])]);
    made.layers[0].extend(package('d', "mpfr-4", 70_000, &[]));
    let judged = made.judge();
    let finding = judged.of(Rule::Toolchain).unwrap();
    assert!(finding.evidence.iter().all(|evidence| evidence.bytes < 20_000), "{:?}", finding.evidence);
    assert!(finding.bytes > 88_000, "{}", finding.bytes);
}

#[test]
fn an_interpreter_that_anything_else_holds_is_no_accident() {
    let line = format!("#!/{}/bin/perl\n", path('c', "perl-5.36.0"));
    let mut made = shebang(&line);
    let judged = shebang(&line).judge();
    assert_eq!(judged.places(Rule::InterpreterByShebang).first().map(String::as_str), Some("perl-5.36.0"));
    made.layers[0]
        .push(file(&format!("{}/more", path('a', "web-1.0")), &format!("PERL=/{}", path('c', "perl-5.36.0"))));
    assert_eq!(made.judge().of(Rule::InterpreterByShebang), None);
}

#[test]
fn what_only_a_text_names_weighs_less_than_a_link_into_nothing() {
    let gone = path('d', "gone-1");
    let linked = image(Vec::new());
    let mut linked = linked;
    linked.layers[0].push(Written::symlink("bin/gone", &format!("/{gone}")));
    assert_eq!(linked.judge().of(Rule::Dangling).unwrap().severity, Severity::Warning);
    let mut named = image(Vec::new());
    named.layers[0].push(file(&format!("{}/built-with", path('a', "web-1.0")), &format!("/{gone}")));
    assert_eq!(named.judge().of(Rule::Dangling).unwrap().severity, Severity::Information);
}
