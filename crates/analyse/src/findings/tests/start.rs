use super::*;
use crate::findings::Severity;
use nixdive_image::Platform;

/// Changes an image.
type Configure = fn(&mut Image);

/// An ELF program for a machine, static or with an interpreter.
fn elf(machine: u16, interpreter: &str) -> Vec<u8> {
    let mut bytes = vec![0u8; 64 + 56];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[16] = 2;
    bytes[18..20].copy_from_slice(&machine.to_le_bytes());
    (bytes[32], bytes[54]) = (64, 56);
    if !interpreter.is_empty() {
        bytes[56] = 1;
        bytes[64] = 3;
        let offset = bytes.len() as u64;
        bytes[72..80].copy_from_slice(&offset.to_le_bytes());
        bytes[96..104].copy_from_slice(&(interpreter.len() as u64 + 1).to_le_bytes());
        bytes.extend_from_slice(interpreter.as_bytes());
        bytes.push(0);
    }
    bytes
}

const AMD64: u16 = 62;
const ARM64: u16 = 183;

fn executable(path: &str, content: &[u8]) -> Written {
    Written { mode: 0o755, ..Written::file(path, content) }
}

fn program(path: &str) -> Written {
    executable(path, &elf(AMD64, ""))
}

fn tmp() -> Written {
    Written { mode: 0o1777, ..Written::directory("tmp") }
}

fn starts_app(image: &mut Image) {
    image.config.platform = Platform::parse("linux/amd64").unwrap();
    image.config.entrypoint = vec!["/bin/app".to_owned()];
}

/// An image that starts `/bin/app`.
fn app(content: &[u8], others: Vec<Written>) -> Made {
    let mut entries = vec![tmp(), executable("bin/app", content)];
    entries.extend(others);
    one(entries).configured(starts_app)
}

fn as_user(image: &mut Image) {
    starts_app(image);
    image.config.user = "app".to_owned();
}

fn as_number(image: &mut Image) {
    starts_app(image);
    image.config.user = "1000:1000".to_owned();
}

fn with_certificates(image: &mut Image) {
    starts_app(image);
    image.config.env = vec!["SSL_CERT_FILE=/etc/ssl/certs/ca.crt".to_owned()];
}

pub fn cases() -> Vec<Case> {
    let static_app = || elf(AMD64, "");
    let store = |mode| Written { mode, ..Written::directory("nix/store") };
    let in_store =
        |mode| one(vec![tmp(), Written::directory("nix"), store(mode), program("bin/app")]).configured(as_number);
    vec![
        case(
            Rule::StartMissing,
            one(vec![tmp(), file("bin/other", "x")]).configured(starts_app),
            app(&static_app(), Vec::new()),
        ),
        case(
            Rule::InterpreterMissing,
            app(&elf(AMD64, "/lib64/ld-linux-x86-64.so.2"), Vec::new()),
            app(&elf(AMD64, "/lib64/ld-linux-x86-64.so.2"), vec![program("lib64/ld-linux-x86-64.so.2")]),
        ),
        case(
            Rule::InterpreterMissing,
            app(b"#!/usr/bin/env python3\n", vec![program("usr/bin/env")]),
            app(b"#!/usr/bin/env -S python3 -u\n", vec![program("usr/bin/env"), program("bin/python3")]),
        ),
        case(
            Rule::UnknownUser,
            one(vec![tmp(), program("bin/app"), file("etc/passwd", "root:x:0:0::/:\n")]).configured(as_user),
            one(vec![tmp(), program("bin/app"), file("etc/passwd", "app:x:7:7::/:\n")]).configured(as_user),
        ),
        case(Rule::OtherArchitecture, app(&elf(ARM64, ""), Vec::new()), app(&static_app(), Vec::new())),
        case(Rule::NotReadable, in_store(0o700), in_store(0o555)),
        case(
            Rule::VariableNowhere,
            one(vec![tmp(), program("bin/app")]).configured(with_certificates),
            one(vec![tmp(), program("bin/app"), file("etc/ssl/certs/ca.crt", "x")]).configured(with_certificates),
        ),
        case(
            Rule::NoTemporaryDirectory,
            one(vec![program("bin/app")]).configured(starts_app),
            app(&static_app(), Vec::new()),
        ),
    ]
}

const RULES_OF_START: [Rule; 7] = [
    Rule::StartMissing,
    Rule::InterpreterMissing,
    Rule::UnknownUser,
    Rule::OtherArchitecture,
    Rule::NotReadable,
    Rule::VariableNowhere,
    Rule::NoTemporaryDirectory,
];

/// Returns the rules that report how an image starts.
fn told(made: Made) -> Vec<Rule> {
    let judged = made.judge();
    judged.found.list.iter().map(|finding| finding.rule).filter(|rule| RULES_OF_START.contains(rule)).collect()
}

/// An ordinary image with a shell and two programs, and what is said of it with some configuration.
fn configured(configure: fn(&mut Image)) -> Vec<Rule> {
    let entries = vec![
        tmp(),
        program("usr/bin/dash"),
        Written::symlink("bin", "usr/bin"),
        Written::symlink("usr/bin/sh", "dash"),
        program("usr/bin/env"),
        executable("usr/bin/web", b"#!/bin/sh\nexec worker\n"),
        executable("srv/app/start", b"#!/usr/bin/env sh\n"),
        Written::symlink("srv/app/link", "../../usr/bin/web"),
        file("etc/passwd", "root:x:0:0::/root:\napp:x:1000:1000::/:\n"),
        file("etc/group", "root:x:0:\nstaff:x:50:app\n"),
    ];
    told(one(entries).configured(configure))
}

#[test]
fn nothing_is_said_of_images_that_start() {
    let cases: [(&str, Configure); 18] = [
        ("nothing to start", |_| {}),
        ("a name in PATH", |image| image.config.cmd = vec!["web".into()]),
        ("a path through a link of a directory", |image| image.config.entrypoint = vec!["/bin/sh".into()]),
        ("the form of a shell", |image| {
            image.config.entrypoint = vec!["/bin/sh".into(), "-c".into(), "exec web --port $PORT".into()];
        }),
        ("a path from the working directory", |image| {
            image.config.working_directory = "/srv/app".into();
            image.config.cmd = vec!["./start".into()];
        }),
        ("a link there", |image| {
            image.config.working_directory = "/srv/app/".into();
            image.config.cmd = vec!["./link".into()];
        }),
        ("PATH of the configuration", |image| {
            image.config.env = vec!["PATH=/nowhere:/srv/app".into()];
            image.config.cmd = vec!["start".into()];
            image.config.entrypoint = vec!["/usr/bin/env".into()];
        }),
        ("a command that is not a file", |image| {
            image.config.entrypoint = vec!["web".into()];
            image.config.cmd = vec!["serve".into(), "--config=/etc/none".into()];
        }),
        ("a program in a volume", |image| {
            image.config.volumes = vec!["/data/".into()];
            image.config.cmd = vec!["/data/app".into()];
        }),
        ("a number as user", |image| image.config.user = "12345".into()),
        ("two numbers", |image| image.config.user = "12345:6789".into()),
        ("names", |image| image.config.user = "app:staff".into()),
        ("root", |image| image.config.user = "root".into()),
        ("another kernel", |image| {
            image.config.platform = Platform::parse("windows/amd64").unwrap();
            image.config.entrypoint = vec!["C:\\app.exe".into()];
            image.config.user = "ContainerUser".into();
        }),
        ("an unknown processor", |image| {
            image.config.platform = Platform::parse("linux/wasm").unwrap();
            image.config.cmd = vec!["/bin/sh".into()];
        }),
        ("a predecessor of the processor", |image| {
            image.config.platform = Platform::parse("linux/amd64").unwrap();
            image.config.cmd = vec!["/bin/sh".into()];
        }),
        ("variables that lead somewhere, or to what is mounted", |image| {
            image.config.env = vec![
                "SSL_CERT_FILE=/run/secrets/ca.crt".into(),
                "SSL_CERT_DIR=/none:/etc".into(),
                "JAVA_HOME=/srv/app/".into(),
                "PIP_CERT=".into(),
                "CURL_CA_BUNDLE=relative".into(),
                "LOG_FILE=/var/log/app.log".into(),
                "TZDIR=/none".into(),
                "TZDIR=/etc".into(),
            ];
        }),
        ("another place for temporary files", |image| {
            image.config.env = vec!["TMPDIR=/srv".into()];
            image.config.cmd = vec!["/bin/sh".into()];
        }),
    ];
    for (what, configure) in cases {
        assert_eq!(configured(configure), [], "{what}");
    }
}

#[test]
fn what_keeps_an_image_from_starting_is_told() {
    let cases: [(&str, Configure, &[Rule]); 9] = [
        ("not in PATH", |image| image.config.cmd = vec!["none".into()], &[Rule::StartMissing]),
        ("a directory", |image| image.config.cmd = vec!["/etc".into()], &[Rule::StartMissing]),
        ("a file that is not executable", |image| image.config.cmd = vec!["/etc/passwd".into()], &[Rule::StartMissing]),
        (
            "a path that depends on the working directory",
            |image| image.config.cmd = vec!["./start".into()],
            &[Rule::StartMissing],
        ),
        ("a missing group", |image| image.config.user = "app:wheel".into(), &[Rule::UnknownUser]),
        ("user and group", |image| image.config.user = "x:y".into(), &[Rule::UnknownUser]),
        (
            "not one program for the processor",
            |image| {
                image.config.platform = Platform::parse("linux/riscv64").unwrap();
            },
            &[Rule::OtherArchitecture],
        ),
        (
            "the interpreter of a script for another processor",
            |image| {
                image.config.platform = Platform::parse("linux/arm64").unwrap();
                image.config.cmd = vec!["web".into()];
            },
            &[Rule::OtherArchitecture],
        ),
        ("a variable", |image| image.config.env = vec!["NIX_SSL_CERT_FILE=/no/ca".into()], &[Rule::VariableNowhere]),
    ];
    for (what, configure, expected) in cases {
        assert_eq!(configured(configure), expected, "{what}");
    }
}

#[test]
fn a_first_line_that_ends_in_a_carriage_return_names_another_program() {
    let judged = app(b"#!/bin/sh\r\necho\n", vec![program("bin/sh")]).judge();
    let finding = judged.of(Rule::InterpreterMissing).unwrap();
    assert_eq!(finding.title, "/bin/app needs the interpreter /bin/sh\\r, which the image does not have");
}

#[test]
fn a_user_without_rights_to_the_program_is_told() {
    let made = |mode, directory| {
        let entries = vec![
            tmp(),
            Written { mode: directory, ..Written::directory("opt") },
            Written { mode, ..program("opt/app") },
            file("etc/passwd", "app:x:1000:1000::/:\n"),
        ];
        one(entries).configured(|image| {
            image.config.entrypoint = vec!["/opt/app".into()];
            image.config.user = "app".into();
        })
    };
    assert_eq!(told(made(0o755, 0o755)), []);
    assert_eq!(told(made(0o700, 0o755)), [Rule::NotReadable]);
    let judged = made(0o755, 0o700).judge();
    assert_eq!(judged.places(Rule::NotReadable), ["/opt"]);
}

#[test]
fn no_tmp_weighs_less_for_one_static_program() {
    let severity = |content: Vec<u8>| {
        let others = vec![program("lib/ld.so")];
        let mut entries = vec![executable("bin/app", &content)];
        entries.extend(others);
        let judged = one(entries).configured(starts_app).judge();
        judged.of(Rule::NoTemporaryDirectory).unwrap().severity
    };
    assert_eq!(severity(elf(AMD64, "")), Severity::Information);
    assert_eq!(severity(elf(AMD64, "/lib/ld.so")), Severity::Warning);
}

#[test]
fn nothing_is_said_to_be_missing_where_files_of_the_image_are_not_here() {
    let made = one(vec![file("etc/os-release", "x")]).configured(|image| {
        starts_app(image);
        image.layers[0].contents = nixdive_image::LayerContents::Absent(Vec::new());
    });
    assert_eq!(told(made), []);
}

/// A Python service as nixpkgs makes it: a wrapper, the wrapped script, an environment, the interpreter.
fn python_service(wrapper: &str, entrypoint: fn(&mut Image)) -> Judged {
    let path = |digit: char, name: &str| format!("nix/store/{}-{name}", digit.to_string().repeat(32));
    let (api, environment) = (path('a', "api-1.0"), path('b', "python3-3.11.2-env"));
    let (python, shell) = (path('c', "python3-3.11.2"), path('d', "bash-5.2"));
    let wrapped = format!("/{api}/bin/.api-wrapped");
    let wrapper = wrapper.replace("SHELL", &format!("/{shell}/bin/bash")).replace("WRAPPED", &wrapped);
    let entries = vec![
        Written::directory(&api),
        executable(&format!("{api}/bin/api"), wrapper.as_bytes()),
        executable(&format!("{api}/bin/.api-wrapped"), format!("#!/{environment}/bin/python3\n").as_bytes()),
        Written::directory(&environment),
        executable(
            &format!("{environment}/bin/python3"),
            format!("#!/{shell}/bin/bash\nexec /{python}/bin/python3 \"$@\"\n").as_bytes(),
        ),
        Written::directory(&python),
        executable(&format!("{python}/bin/python3"), &[elf(AMD64, ""), bulk(3, 2_000_000)].concat()),
        Written::directory(&shell),
        program(&format!("{shell}/bin/bash")),
        Written::symlink("bin/api", &format!("/{api}/bin/api")),
        tmp(),
    ];
    one(entries).configured(entrypoint).judge()
}

#[test]
fn an_ordinary_python_service_of_nixpkgs_has_no_finding_of_its_interpreter() {
    let wrappers = [
        "#!SHELL -e\nexport PATH='/x'${PATH:+':'}$PATH\nexec -a \"$0\" \"WRAPPED\"  \"$@\"\n".to_owned(),
        // A binary wrapper names what it executes among its constants.
        String::from_utf8([elf(AMD64, ""), b"\0WRAPPED\0SHELL\0".to_vec()].concat()).unwrap(),
    ];
    let entrypoints: [fn(&mut Image); 3] = [
        |image| image.config.entrypoint = vec!["/bin/api".into()],
        |image| image.config.cmd = vec!["api".into()],
        |image| image.config.cmd = vec![format!("/nix/store/{}-api-1.0/bin/api", "a".repeat(32))],
    ];
    for wrapper in &wrappers {
        for entrypoint in entrypoints {
            let judged = python_service(wrapper, entrypoint);
            for rule in [Rule::InterpreterByShebang, Rule::SeveralVersions, Rule::SeveralBuilds] {
                assert_eq!(judged.of(rule), None);
            }
            assert_eq!(judged.found.list.iter().filter(|found| RULES_OF_START.contains(&found.rule)).count(), 0);
        }
    }
}

#[test]
fn a_script_that_is_not_executed_still_holds_its_interpreter_by_accident() {
    let judged = python_service("#!SHELL\necho WRAPPED-is-elsewhere\n", |image| {
        image.config.entrypoint = vec![format!("/nix/store/{}-bash-5.2/bin/bash", "d".repeat(32))];
        image.config.labels = vec![("path".into(), String::new())];
        image.config.cmd = vec!["-c".into(), "true".into()];
    });
    // Only the link in /bin leads to the service.
    assert!(judged.of(Rule::InterpreterByShebang).is_some(), "{:?}", judged.found.list);
}
