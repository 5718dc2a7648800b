use std::collections::HashMap;
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{from_slice, names};

/// A manifest, as far as both readers are compared.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Manifest {
    schema_version: u64,
    media_type: String,
    config: Option<Descriptor>,
    layers: Vec<Descriptor>,
    annotations: Option<HashMap<String, String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Descriptor {
    digest: String,
    size: u64,
    urls: Option<Vec<String>>,
}

/// Documents in which case or duplicates matter, each with what Go 1.26 reads.
const CASES: [(&str, &str); 6] = [
    (r#"{"SchemaVersion": 2, "MEDIATYPE": "a"}"#, r#"{"schema":2,"media":"a","layers":[]}"#),
    (
        r#"{"Layers": [{"Digest": "x", "SIZE": 3, "Urls": ["u"]}], "Config": {"dIgEsT": "c"}}"#,
        r#"{"schema":0,"media":"","config":["c",0,[]],"layers":[["x",3,["u"]]]}"#,
    ),
    (
        r#"{"layers": [{"digest": "first"}], "Layers": [{"digest": "last"}, {"digest": "z"}]}"#,
        r#"{"schema":0,"media":"","layers":[["last",0,[]],["z",0,[]]]}"#,
    ),
    (r#"{"mediaType": "exact", "mediatype": "later"}"#, r#"{"schema":0,"media":"later","layers":[]}"#),
    (
        r#"{"Annotations": {"Config": "kept", "config": "too"}, "unknown": {"config": 1}}"#,
        r#"{"schema":0,"media":"","layers":[],"annotations":{"Config":"kept","config":"too"}}"#,
    ),
    ("{\"layer\u{17f}\": [{\"dige\u{17f}t\": \"long s\"}]}", r#"{"schema":0,"media":"","layers":[["long s",0,[]]]}"#),
];

fn read(document: &str) -> Value {
    let manifest: Manifest = from_slice(document.as_bytes()).unwrap();
    let descriptor = |one: Descriptor| json!([one.digest, one.size, one.urls.unwrap_or_default()]);
    let mut read = json!({"schema": manifest.schema_version, "media": manifest.media_type});
    if let Some(config) = manifest.config {
        read["config"] = descriptor(config);
    }
    read["layers"] = manifest.layers.into_iter().map(descriptor).collect();
    if let Some(annotations) = manifest.annotations {
        read["annotations"] = json!(annotations);
    }
    read
}

#[test]
fn documents_are_read_as_go_reads_them() {
    for (document, expected) in CASES {
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(read(document), expected, "{document}");
    }
}

/// Checks the table above against Go itself if it is installed.
#[test]
fn go_reads_the_same() {
    if !Command::new("go").arg("version").output().is_ok_and(|output| output.status.success()) {
        crate::testing::skip("go_reads_the_same", "go is not installed");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("read.go");
    std::fs::write(&program, GO).unwrap();
    for (document, expected) in CASES {
        let mut command = Command::new("go");
        command.arg("run").arg(&program).arg(document).env("GOFLAGS", "-mod=mod");
        command.env("GOCACHE", std::env::temp_dir().join("nixdive-go-cache")).env("GO111MODULE", "off");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(printed, serde_json::from_str::<Value>(expected).unwrap(), "{document}");
    }
}

const GO: &str = r#"package main

import (
	"encoding/json"
	"fmt"
	"os"
)

type descriptor struct {
	Digest string   `json:"digest"`
	Size   uint64   `json:"size"`
	URLs   []string `json:"urls"`
}

func row(d descriptor) []any {
	if d.URLs == nil {
		d.URLs = []string{}
	}
	return []any{d.Digest, d.Size, d.URLs}
}

func main() {
	var manifest struct {
		SchemaVersion uint64            `json:"schemaVersion"`
		MediaType     string            `json:"mediaType"`
		Config        *descriptor       `json:"config"`
		Layers        []descriptor      `json:"layers"`
		Annotations   map[string]string `json:"annotations"`
	}
	if err := json.Unmarshal([]byte(os.Args[1]), &manifest); err != nil {
		panic(err)
	}
	layers := []any{}
	for _, layer := range manifest.Layers {
		layers = append(layers, row(layer))
	}
	read := map[string]any{"schema": manifest.SchemaVersion, "media": manifest.MediaType, "layers": layers}
	if manifest.Config != nil {
		read["config"] = row(*manifest.Config)
	}
	if manifest.Annotations != nil {
		read["annotations"] = manifest.Annotations
	}
	text, _ := json.Marshal(read)
	fmt.Println(string(text))
}
"#;

#[test]
fn keys_fold_as_in_go() {
    for (key, field, expected) in [
        ("Entrypoint", "entrypoint", true),
        ("ENV", "Env", true),
        ("\u{212a}ind", "kind", true),
        ("work_dir", "workdir", false),
        ("Stra\u{df}e", "strasse", false),
        ("", "os", false),
    ] {
        assert_eq!(names(key, field), expected, "{key}");
    }
}

#[test]
fn what_does_not_suit_the_type_is_told_without_a_misleading_place() {
    let told = |document: &str| from_slice::<Manifest>(document.as_bytes()).err().map(|error| error.to_string());
    assert_eq!(told(r#"{"layers": [[]]}"#).as_deref(), Some("invalid type: sequence, expected struct Descriptor"));
    let size = told(r#"{"layers": [{"Size": "x"}]}"#).unwrap();
    assert!(size.contains("invalid type: string") && !size.contains(" line "), "{size}");
    assert!(told("{").unwrap().contains("line 1"));
    assert!(from_slice::<Manifest>(&[&b"{\"a\":"[..], &b"[".repeat(100_000)].concat()).is_err());
}
