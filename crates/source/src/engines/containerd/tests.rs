use std::fs;
use std::path::Path;

use super::bolt::tests::Written;
use super::*;

fn digest(letter: char) -> Digest {
    Digest::parse(&format!("sha256:{}", letter.to_string().repeat(64))).unwrap()
}

fn image(digest: &Digest) -> Written {
    let target = Written::default().value("digest", digest.as_str()).value("size", "\u{1}");
    Written::default().value("createdat", "").bucket("target", target)
}

/// Creates a store below `root` with some names, each in a namespace.
fn store(root: &Path, images: &[(&str, &str, char)]) -> EngineEnvironment {
    let place = root.join("var/lib/containerd");
    fs::create_dir_all(place.join(CONTENT).join("blobs/sha256")).unwrap();
    fs::create_dir_all(place.join("io.containerd.metadata.v1.bolt")).unwrap();
    let mut namespaces: Vec<&str> = images.iter().map(|(namespace, ..)| *namespace).collect();
    namespaces.dedup();
    let mut schema = Written::default();
    for namespace in namespaces {
        let own = images.iter().filter(|(other, ..)| *other == namespace);
        let named =
            own.fold(Written::default(), |named, (_, name, letter)| named.bucket(name, image(&digest(*letter))));
        schema = schema.bucket(namespace, Written::default().bucket("images", named));
    }
    fs::write(place.join(METADATA), Written::default().bucket("v1", schema).file()).unwrap();
    EngineEnvironment { root: root.to_owned(), ..EngineEnvironment::default() }
}

const FULL: &str = "docker.io/library/web:latest";

#[test]
fn names_are_found_as_docker_lets_people_write_them() {
    let place = tempfile::tempdir().unwrap();
    let images = [("default", FULL, 'a'), ("k8s.io", FULL, 'b'), ("k8s.io", "ghcr.io/team/app:1", 'c')];
    let environment = store(place.path(), &images);
    let store = ContentStore::find(&environment).unwrap().remove(0);
    for typed in ["web", "web:latest", FULL] {
        assert_eq!(store.resolve(typed).unwrap(), digest('a'), "{typed}");
    }
    assert_eq!(store.resolve("ghcr.io/team/app:1").unwrap(), digest('c'));
    assert!(matches!(store.resolve("other"), Err(EngineError::NoSuchImage { .. })));
    let kubernetes = EngineEnvironment { containerd_namespace: Some("k8s.io".into()), ..environment };
    let store = ContentStore::find(&kubernetes).unwrap().remove(0);
    assert_eq!(store.resolve("web").unwrap(), digest('b'));
    assert_eq!(store.images().unwrap().len(), 2);
}

#[test]
fn two_namespaces_that_mean_different_images_are_named() {
    let place = tempfile::tempdir().unwrap();
    let environment = store(place.path(), &[("k8s.io", FULL, 'a'), ("moby", FULL, 'b')]);
    let error = ContentStore::find(&environment).unwrap().remove(0).resolve("web").unwrap_err().to_string();
    assert!(error.contains("k8s.io") && error.contains("moby") && error.contains("CONTAINERD_NAMESPACE"), "{error}");
}

#[test]
fn a_manifest_is_found_by_its_digest() {
    let place = tempfile::tempdir().unwrap();
    let environment = store(place.path(), &[("default", FULL, 'a')]);
    let store = ContentStore::find(&environment).unwrap().remove(0);
    assert!(store.resolve(digest('d').as_str()).is_err());
    fs::write(store.content().join("blobs/sha256").join("d".repeat(64)), "{}").unwrap();
    assert_eq!(store.resolve(digest('d').as_str()).unwrap(), digest('d'));
    assert_eq!(store.resolve(&format!("other@{}", digest('d'))).unwrap(), digest('d'));
}

#[test]
fn where_containerd_is_looked_for_is_said() {
    let place = tempfile::tempdir().unwrap();
    let environment = EngineEnvironment {
        root: place.path().join("root"),
        data: Some(place.path().join("data")),
        ..EngineEnvironment::default()
    };
    let error = ContentStore::find(&environment).unwrap_err().to_string();
    assert!(error.contains("root/var/lib/containerd") && error.contains("data/containerd"), "{error}");
    let damaged = store(place.path(), &[]);
    fs::write(place.path().join("var/lib/containerd").join(METADATA), "none").unwrap();
    let error = ContentStore::find(&damaged).unwrap().remove(0).resolve("web").unwrap_err().to_string();
    assert!(error.contains("meta.db") && error.contains("bbolt"), "{error}");
}
