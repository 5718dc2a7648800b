//! Documents with arbitrary values in every field that describes an image.

use std::collections::HashMap;
use std::ffi::OsStr;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Container, Layout, Request, SourceError, parse_config, read_layout};
use nixdive_image::Platform;
use nixdive_image::reference::Reference;
use nixdive_scan::Section;

/// Parts of an image by name; those that are not JSON are layers.
struct Parts(HashMap<String, Vec<u8>>);

impl Container for Parts {
    fn locate(&self, name: &str) -> Option<String> {
        self.0.contains_key(name).then(|| name.to_owned())
    }

    fn document(&self, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
        Ok(self.0.get(name).cloned())
    }

    fn blob(&self, _located: &str) -> Result<Option<Section>, SourceError> {
        Ok(None)
    }
}

const MANIFEST: &str = "blobs/sha256/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const CONFIG: &str = "blobs/sha256/cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";
const LAYER: &str = "blobs/sha256/1111111111111111111111111111111111111111111111111111111111111111";
const INNER: &str = "blobs/sha256/eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";

fn digest(blob: &str) -> String {
    blob.trim_start_matches("blobs/").replace('/', ":")
}

fn config() -> Value {
    json!({
        "created": "2024-01-02T03:04:05Z", "author": "an author", "os": "linux", "architecture": "amd64", "variant": "v1",
        "config": {
            "Entrypoint": ["/bin/sh"], "Cmd": ["-c", "true"], "Env": ["A=b"], "User": "1:2", "WorkingDir": "/srv",
            "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/data": {}}, "Labels": {"a": "b"}, "StopSignal": "SIGTERM",
            "Healthcheck": {"Test": ["NONE"], "Interval": 5, "Timeout": 6, "StartPeriod": 7, "Retries": 8},
            "Shell": ["/bin/sh"], "OnBuild": ["RUN true"],
        },
        "history": [
            {"created": "2024-01-02T03:04:05Z", "created_by": "ADD /", "author": "a", "comment": "c", "empty_layer": false},
            {"empty_layer": true},
        ],
        "rootfs": {"type": "layers", "diff_ids": [digest(LAYER)]},
    })
}

fn manifest() -> Value {
    json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(CONFIG), "size": 10},
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(LAYER), "size": 20,
            "annotations": {"a": "b"}, "urls": ["https://example.org"],
        }],
        "annotations": {"c": "d"},
    })
}

fn index() -> Value {
    json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(MANIFEST), "size": 30,
             "platform": {"os": "linux", "architecture": "amd64", "variant": "v1", "os.version": "1", "os.features": ["x"]},
             "annotations": {"org.opencontainers.image.ref.name": "latest", "io.containerd.image.name": "web"}},
            {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest(INNER), "size": 40},
        ],
        "annotations": {"c": "d"},
    })
}

fn inner_index() -> Value {
    json!({"schemaVersion": 2, "manifests": [
        {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(MANIFEST), "size": 30},
    ]})
}

/// Returns the documents of one image of every kind.
fn kinds() -> Vec<Vec<(&'static str, Value)>> {
    let hex = |blob: &'static str| blob.rsplit('/').next().unwrap_or_default();
    vec![
        vec![
            ("manifest.json", json!([{"Config": "c.json", "RepoTags": ["web:latest"], "Layers": ["l.tar"]}])),
            ("c.json", config()),
            ("l.tar", Value::Null),
        ],
        vec![
            ("repositories", json!({"web": {"latest": "top"}})),
            (
                "top/json",
                json!({"id": "top", "parent": "base", "created": "2024", "os": "linux", "container_config": {"Cmd": ["a", "b"]}}),
            ),
            ("top/layer.tar", Value::Null),
            ("base/json", json!({"id": "base"})),
            ("base/layer.tar", Value::Null),
        ],
        vec![
            ("oci-layout", json!({"imageLayoutVersion": "1.0.0"})),
            ("index.json", index()),
            (INNER, inner_index()),
            (MANIFEST, manifest()),
            (CONFIG, config()),
            (LAYER, Value::Null),
        ],
        vec![("manifest.json", manifest()), (hex(CONFIG), config()), (hex(LAYER), Value::Null)],
    ]
}

fn read(documents: &[(&'static str, Value)], platform: Option<&Platform>) -> Result<Layout, SourceError> {
    let parts = documents.iter().map(|(name, value)| ((*name).to_owned(), value.to_string().into_bytes())).collect();
    read_parts(parts, "image.tar", platform)
}

fn read_parts(
    parts: HashMap<String, Vec<u8>>,
    reference: &str,
    platform: Option<&Platform>,
) -> Result<Layout, SourceError> {
    let reference = Reference::parse(OsStr::new(reference)).unwrap();
    read_layout(&Parts(parts), &Request { reference: &reference, platform }, true)
}

/// Generates JSON values.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(vec![0i64, 1, -1, i64::MAX, i64::MIN]).prop_map(Value::from),
        Just(Value::from(u64::MAX)),
        Just(Value::from(1e300)),
        prop::sample::select(vec![
            "",
            "sha256:",
            "sha256:../../x",
            "sha512:00",
            "../..",
            "/",
            "web",
            "l.tar",
            "top",
            "base",
            "\u{1b}[2J\n\0",
            "unknown",
            "manifest.json",
            MANIFEST,
            CONFIG,
        ])
        .prop_map(Value::from),
        prop::sample::select(vec![MANIFEST, CONFIG, LAYER, INNER]).prop_map(|blob| Value::from(digest(blob))),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(vec!["a", "os", "digest", "size", "latest"]), inner), 0..3)
                .prop_map(|pairs| Value::Object(
                    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
                )),
        ]
    })
}

/// Returns every position in a document.
fn places(value: &Value) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut below = |key: String, value: &Value| {
        found.extend(places(value).into_iter().map(|place| format!("/{key}{place}")));
    };
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| below(key.replace('~', "~0").replace('/', "~1"), value));
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(index, value)| below(index.to_string(), value)),
        _ => {}
    }
    found
}

fn assert_clear(error: &SourceError) {
    let message = error.to_string();
    assert!(!message.is_empty() && message.len() < 100_000);
}

#[test]
fn every_kind_opens_as_it_should_be() {
    for documents in kinds() {
        let layout = read(&documents, None).unwrap();
        assert_eq!(
            layout.warnings.iter().filter(|warning| !warning.message.contains("is listed under the digest")).count(),
            0
        );
        assert!(!layout.layers.is_empty());
        assert_eq!(layout.config.platform.os, "linux");
    }
}

#[test]
fn names_may_be_written_as_docker_lets_people_write_them() {
    let listed =
        ["docker.io/library/web:latest", "web:latest", "docker.io/team/web:1", "localhost/web:1", "r.org:5000/web:1"];
    let found = |wanted: &str| -> Vec<usize> {
        (0..listed.len()).filter(|&index| super::selection::names_match(listed[index], wanted)).collect()
    };
    for (wanted, expected) in [
        ("web", &[0, 1][..]),
        ("web:latest", &[0, 1]),
        ("library/web", &[0, 1]),
        ("latest", &[0, 1]),
        ("team/web:1", &[2]),
        ("docker.io/team/web:1", &[2]),
        ("localhost/web:1", &[3]),
        ("r.org:5000/web:1", &[4]),
        ("1", &[2, 3, 4]),
        ("team/web", &[]),
        ("eb:1", &[]),
    ] {
        assert_eq!(found(wanted), expected, "{wanted}");
    }
}

/// Returns a document that takes long to read, with the content of `value`.
fn long(value: &Value) -> Vec<u8> {
    let mut bytes = value.to_string().into_bytes();
    bytes.resize(4 << 20, b' ');
    bytes
}

#[test]
fn repeated_documents_are_read_within_a_limit() {
    let start = std::time::Instant::now();
    let names: Vec<String> = (0..5000).map(|number| format!("blobs/sha256/{number:064x}")).collect();
    let listed = |name: &String| json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(name), "size": 1});
    let manifests: Vec<Value> = names.iter().map(listed).collect();
    let index = json!({"schemaVersion": 2, "manifests": manifests}).to_string().into_bytes();
    let one = manifest().to_string().into_bytes();
    let mut parts: HashMap<String, Vec<u8>> = names.iter().map(|name| (name.clone(), one.clone())).collect();
    parts.insert("index.json".to_owned(), index);
    parts.insert(CONFIG.to_owned(), long(&config()));
    assert!(read_parts(parts, "image.tar", None).is_err());

    let ring = long(&json!({"parent": "top"}));
    let repositories = json!({"web": {"latest": "top"}}).to_string().into_bytes();
    let parts = HashMap::from([
        ("repositories".to_owned(), repositories),
        ("top/json".to_owned(), ring),
        ("top/layer.tar".to_owned(), Vec::new()),
    ]);
    assert!(read_parts(parts, "image.tar", None).is_err());
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn any_value_is_accepted_anywhere(
        kind in 0..4usize, document in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(),
        value in any_value(), remove in prop::bool::weighted(0.1), platform in prop::option::of(Just("linux/amd64")),
    ) {
        let mut documents = kinds()[kind].clone();
        let chosen = document.index(documents.len());
        let places = places(&documents[chosen].1);
        let place = &places[place.index(places.len())];
        if let (true, Some((above, key))) = (remove, place.rsplit_once('/')) {
            if let Some(map) = documents[chosen].1.pointer_mut(above).and_then(Value::as_object_mut) {
                map.remove(key);
            }
        } else if let Some(target) = documents[chosen].1.pointer_mut(place) {
            *target = value;
        }
        let platform = platform.and_then(Platform::parse);
        if let Err(error) = read(&documents, platform.as_ref()) {
            assert_clear(&error);
        }
    }

    #[test]
    fn a_configuration_that_is_an_object_always_counts(place in any::<prop::sample::Index>(), value in any_value()) {
        let mut document = config();
        let places = places(&document);
        // The first position is the document itself.
        let place = &places[1 + place.index(places.len() - 1)];
        *document.pointer_mut(place).unwrap() = value;
        prop_assert!(parse_config("config.json", document.to_string().as_bytes()).is_ok());
    }

    #[test]
    fn a_document_may_be_any_bytes(
        kind in 0..4usize, document in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 0..60),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let documents = &kinds()[kind];
        let mut parts: HashMap<String, Vec<u8>> = HashMap::new();
        for (number, (name, value)) in documents.iter().enumerate() {
            let mut whole = value.to_string().into_bytes();
            if number == document.index(documents.len()) {
                match &cut {
                    Some(at) => whole.truncate(at.index(whole.len() + 1)),
                    None => whole = bytes.clone(),
                }
            }
            parts.insert((*name).to_owned(), whole);
        }
        if let Err(error) = read_parts(parts, "image.tar", None) {
            assert_clear(&error);
        }
    }

    #[test]
    fn any_selector_may_be_asked_for(kind in 0..4usize, selector in ".{1,12}") {
        let transport = ["docker-archive", "docker-archive", "oci-archive", "dir"][kind];
        let documents = &kinds()[kind];
        let parts = documents.iter().map(|(name, value)| ((*name).to_owned(), value.to_string().into_bytes()));
        let reference = format!("{transport}:/nowhere/image:{selector}");
        if let Err(error) = read_parts(parts.collect(), &reference, None) {
            assert_clear(&error);
        }
    }
}
