//! Other programs, and this one, as their users run them.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Whether all these programs are here. Where one is not, says so, or fails when the tests are to be live.
pub fn have(programs: &[&str]) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let missing = |program: &&&str| !std::env::split_paths(&paths).any(|directory| directory.join(program).is_file());
    match programs.iter().find(missing) {
        Some(program) => skip(&format!("{program} is not installed")),
        None => true,
    }
}

/// Says why a test cannot be done, and gives `false`; fails when the tests are to be live.
pub fn skip(reason: &str) -> bool {
    assert!(std::env::var_os("NIXDIVE_LIVE").is_none_or(|live| live != "1"), "{reason}");
    println!("skipped: {reason}");
    false
}

/// What a program prints; fails with what it complains of.
pub fn output(command: &mut Command) -> Vec<u8> {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {status}\n{}", String::from_utf8_lossy(&stderr));
    stdout
}

/// What a program of this name prints.
pub fn run(program: &str, arguments: &[impl AsRef<OsStr>]) -> Vec<u8> {
    output(Command::new(program).args(arguments))
}

/// What skopeo prints. No policy is needed: every image here was made here.
pub fn skopeo(arguments: &[&str]) -> Vec<u8> {
    output(Command::new("skopeo").arg("--insecure-policy").args(arguments))
}

/// Copies an image; `options` stand before source and destination.
pub fn copy(options: &[&str], from: &str, to: &str) {
    skopeo(&[&["copy", "--quiet"], options, &[from, to]].concat());
}

/// This program.
pub fn nixdive() -> Command {
    Command::new(env!("CARGO_BIN_EXE_nixdive"))
}

/// The JSON report of an image.
pub fn inspect(reference: impl AsRef<OsStr>) -> Value {
    json(&output(nixdive().arg("inspect").arg(reference).args(["--format", "json"])))
}

/// The JSON report of an image that comes through standard input; `pipe` makes it a pipe rather than a file.
pub fn inspect_input(file: &Path, pipe: bool) -> Value {
    let input: Stdio = if pipe {
        Command::new("cat").arg(file).stdout(Stdio::piped()).spawn().unwrap().stdout.unwrap().into()
    } else {
        File::open(file).unwrap().into()
    };
    json(&output(nixdive().args(["inspect", "-", "--format", "json"]).stdin(input)))
}

pub fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// `sha256:…` of some bytes.
pub fn sha256(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// One field of every layer of a report.
pub fn of_layers(report: &Value, field: &str) -> Vec<Value> {
    report["layers"].as_array().unwrap().iter().map(|layer| layer[field].clone()).collect()
}
