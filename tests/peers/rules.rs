//! Rules and bills of materials held against dive's own output, published schemas, and readers of their formats.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::corpus::corpus;
use crate::peers::{have, json, nixdive, output, skip};

const NIX_SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sample-images/lighttpd-nix.tar.gz");
const DOCKER_SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sample-images/lighttpd-docker.tar.zst");

/// The program with nothing of the CI system that runs the tests.
fn program(arguments: &[&str]) -> Command {
    let mut command = nixdive();
    command.args(arguments).env_remove("CI").env_remove("GITHUB_ACTIONS");
    command
}

/// A file of the repository.
fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Whether Python has a module; said, or failed on, where it has not.
fn python_has(module: &str) -> bool {
    let found = have(&["python3"])
        && Command::new("python3").args(["-c", &format!("import {module}")]).output().unwrap().status.success();
    found || skip(&format!("python3 has no {module}"))
}

fn python(script: &str, arguments: &[&Path]) {
    output(Command::new("python3").args(["-c", script]).args(arguments));
}

#[test]
fn standard_output_is_dives_byte_for_byte() {
    let Some(corpus) = corpus() else { return };
    let image = corpus.join("dive/test-docker-image.tar");
    let image = image.to_str().unwrap();
    let strict = corpus.join("dive/strict.dive-ci");
    for (arguments, expected) in [
        (&["--ci", image][..], "dive/ci-default.stdout.txt"),
        (&["--ci", image, "--ci-config", strict.to_str().unwrap()], "dive/ci-strict.stdout.txt"),
    ] {
        let run = program(arguments).output().unwrap();
        assert_eq!(run.status.code(), Some(1));
        let expected = std::fs::read_to_string(corpus.join(expected)).unwrap();
        assert_eq!(String::from_utf8(run.stdout).unwrap(), expected);
    }
}

#[test]
fn growth_of_a_nix_image_is_told_with_what_brings_it_in() {
    let Some(corpus) = corpus() else { return };
    let (web, hello) = (corpus.join("nix/web-nix.tar.gz"), corpus.join("nix/hello-nix.tar.gz"));
    let (web, hello) = (web.to_str().unwrap(), hello.to_str().unwrap());
    let run = program(&["ci", web, "--baseline", hello, "--max-growth", "5%", "--format", "json"]).output().unwrap();
    assert_eq!(run.status.code(), Some(1));
    let report = json(&run.stdout);
    let rule = report["rules"].as_array().unwrap().iter().find(|rule| rule["id"] == "max-growth/unpacked").unwrap();
    let perl =
        rule["evidence"].as_array().unwrap().iter().find(|found| found["text"].as_str().unwrap().contains("perl"));
    let text = perl.unwrap()["text"].as_str().unwrap();
    assert!(text.contains("brought in by openssl-") && text.contains("(bin/c_rehash)"), "{text}");
}

/// Checks a document against a schema; `beside` is a directory of schemas that it refers to by their file names.
const SCHEMA_CHECK: &str = "
import json, pathlib, sys, warnings
warnings.simplefilter('ignore')
import jsonschema
schema_file, document = pathlib.Path(sys.argv[1]), json.load(open(sys.argv[2]))
schema = json.load(open(schema_file))
kind = jsonschema.validators.validator_for(schema)
store = {}
for other in schema_file.parent.glob('*.json'):
    content = json.load(open(other))
    store[content.get('$id', content.get('id', other.name))] = content
resolver = jsonschema.RefResolver(base_uri=schema.get('$id', schema.get('id', '')), referrer=schema, store=store)
errors = [f'{list(e.absolute_path)}: {e.message[:300]}' for e in kind(schema, resolver=resolver).iter_errors(document)]
sys.exit('\\n'.join(errors[:10]) if errors else 0)
";

#[test]
fn bills_of_materials_and_sarif_follow_the_published_schemas() {
    let Some(corpus) = corpus() else { return };
    if !python_has("jsonschema") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("document.json");
    for image in [NIX_SAMPLE, DOCKER_SAMPLE] {
        for (arguments, schema) in [
            (&["sbom", image, "--format", "cyclonedx"][..], "schemas/cyclonedx/bom-1.6.schema.json"),
            (&["sbom", image, "--format", "spdx"], "schemas/spdx-2.3.schema.json"),
            (&["ci", image, "--max-size", "1kB", "--format", "sarif"], "schemas/sarif-schema-2.1.0.json"),
        ] {
            std::fs::write(&file, program(arguments).output().unwrap().stdout).unwrap();
            python(SCHEMA_CHECK, &[&corpus.join(schema), &file]);
        }
    }
}

fn sbom(image: &str, format: &str) -> Vec<u8> {
    output(&mut program(&["sbom", image, "--format", format]))
}

#[test]
fn a_bill_names_every_store_path_and_what_it_refers_to() {
    let inspected = json(&output(&mut program(&["inspect", NIX_SAMPLE, "--format", "json"])));
    let bill = json(&sbom(NIX_SAMPLE, "cyclonedx"));
    let components = bill["components"].as_array().unwrap();
    let dependencies = bill["dependencies"].as_array().unwrap();
    for path in inspected["storePaths"].as_array().unwrap() {
        let reference = &path["path"];
        let component = components.iter().find(|component| component["bom-ref"] == *reference).unwrap();
        assert_eq!((&component["name"], component["purl"].is_string()), (&path["name"], true));
        let hash = component["hashes"][0]["content"].as_str().unwrap();
        assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
        let found = dependencies.iter().find(|found| found["ref"] == *reference).unwrap();
        let without_itself = |list: &Value| -> Vec<Value> {
            list.as_array().unwrap().iter().filter(|to| *to != reference).cloned().collect()
        };
        assert_eq!(without_itself(&found["dependsOn"]), without_itself(&path["references"]));
    }
    let spdx = json(&sbom(NIX_SAMPLE, "spdx"));
    assert_eq!(spdx["packages"].as_array().unwrap().len(), components.len() + 1);
}

#[test]
fn a_bill_names_every_package_with_a_url() {
    let inspected = json(&output(&mut program(&["inspect", DOCKER_SAMPLE, "--format", "json"])));
    let bill = json(&sbom(DOCKER_SAMPLE, "cyclonedx"));
    let components = bill["components"].as_array().unwrap();
    let packages = inspected["packages"].as_array().unwrap();
    assert!(!packages.is_empty());
    for package in packages {
        let version = package["version"].as_str().unwrap();
        let found = components.iter().find(|found| found["name"] == package["name"] && found["version"] == version);
        let url = found.unwrap()["purl"].as_str().unwrap();
        assert!(url.starts_with("pkg:") && url.contains('@'), "{url}");
    }
    let text = String::from_utf8(sbom(DOCKER_SAMPLE, "text")).unwrap();
    assert_eq!(text.lines().count(), components.len() + 2);
}

#[test]
fn licences_are_those_of_the_database() {
    let Some(corpus) = corpus() else { return };
    let bill = json(&sbom(corpus.join("alpine/alpine-311.tar.gz").to_str().unwrap(), "cyclonedx"));
    let musl = bill["components"].as_array().unwrap().iter().find(|found| found["name"] == "musl").unwrap().clone();
    assert_eq!(musl["licenses"][0]["license"]["name"], "MIT");
    assert_eq!(musl["purl"], "pkg:apk/alpine/musl@1.1.24-r2?arch=x86_64&distro=alpine-3.11.5");
}

#[test]
fn the_same_image_gives_the_same_bill() {
    for format in ["cyclonedx", "spdx", "text"] {
        assert_eq!(sbom(NIX_SAMPLE, format), sbom(NIX_SAMPLE, format), "{format}");
    }
}

const JUNIT_CHECK: &str = "
import sys, xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[1]).getroot().find('testsuite')
cases = suite.findall('testcase')
assert int(suite.get('tests')) == len(cases) == 4, len(cases)
assert int(suite.get('failures')) == len(suite.findall('testcase/failure')) == 1
assert suite.find('testcase/failure').get('message')
";

#[test]
fn junit_is_read_by_an_xml_reader() {
    if !have(&["python3"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("junit.xml");
    let run = program(&["ci", NIX_SAMPLE, "--max-size", "1kB", "--format", "junit"]).output().unwrap();
    std::fs::write(&file, run.stdout).unwrap();
    python(JUNIT_CHECK, &[&file]);
}

const ACTION_CHECK: &str = "
import sys, yaml
action, gitlab = (yaml.safe_load(open(name)) for name in sys.argv[1:3])
assert action['runs']['using'] == 'composite' and action['inputs']['image']['required'] is True
for step in action['runs']['steps']:
    assert step['shell'] == 'bash' and '${{' not in step['run'], step
text = open(sys.argv[1]).read()
for name in action['inputs']:
    assert '${{ inputs.%s }}' % name in text, name
job = gitlab['.nixdive']
assert job['script'] and job['artifacts']['reports']['junit'].endswith('nixdive.xml')
";

#[test]
fn the_action_and_the_template_are_yaml_of_their_kind() {
    if python_has("yaml") {
        python(ACTION_CHECK, &[&repository("action.yml"), &repository("ci/gitlab.yml")]);
    }
}

#[test]
fn the_flake_is_nix() {
    if have(&["nix-instantiate"]) {
        output(Command::new("nix-instantiate").arg("--parse").arg(repository("flake.nix")));
    }
}

#[test]
fn the_script_of_the_action_judges_and_leaves_reports() {
    if !have(&["bash"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let binaries = Path::new(env!("CARGO_BIN_EXE_nixdive")).parent().unwrap();
    let mut paths = vec![binaries.to_owned()];
    paths.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    for (limit, code, verdict) in [("1GB", 0, "pass"), ("1kB", 1, "fail"), ("1banana", 2, "error")] {
        let reports = directory.path().join(verdict);
        let outputs = directory.path().join(format!("{verdict}.outputs"));
        let run = Command::new("bash")
            .arg(repository("ci/judge.sh"))
            .env("PATH", std::env::join_paths(&paths).unwrap())
            .env("NIXDIVE_IMAGE", NIX_SAMPLE)
            .env("NIXDIVE_MAX_SIZE", format!("{limit}\ncompressed=2GB\n"))
            .env("NIXDIVE_ARGUMENTS", "--strict\n")
            .env("NIXDIVE_REPORTS", &reports)
            .env("GITHUB_OUTPUT", &outputs)
            .env_remove("GITHUB_ACTIONS")
            .current_dir(directory.path())
            .output()
            .unwrap();
        assert_eq!(run.status.code(), Some(code), "{}", String::from_utf8_lossy(&run.stderr));
        assert!(std::fs::read_to_string(&outputs).unwrap().contains(&format!("verdict={verdict}\n")));
        if code < 2 {
            let report = json(&std::fs::read(reports.join("nixdive.json")).unwrap());
            assert_eq!(report["verdict"], verdict);
            assert!(reports.join("nixdive.sarif").is_file() && reports.join("nixdive-code-quality.json").is_file());
        }
    }
}
