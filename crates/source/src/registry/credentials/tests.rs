use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::http::base64;
use nixdive_image::execution::Permission;

fn name(text: &str) -> ImageName {
    ImageName::parse(text).unwrap()
}

fn auth(user: &str, password: &str) -> String {
    format!(r#"{{"auth":"{}"}}"#, base64(format!("{user}:{password}").as_bytes()))
}

fn environment(place: &Path) -> Environment {
    Environment {
        home: Some(place.join("home")),
        config: Some(place.join("config")),
        runtime: Some(place.join("run")),
        docker: Some(place.join("docker")),
        path: Some(place.join("bin").into()),
        ..Environment::default()
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn user(found: Option<Found>) -> Option<String> {
    match found?.credential {
        Credential::Password { user, .. } => Some(user),
        _ => None,
    }
}

#[test]
fn the_longest_prefix_counts() {
    let place = tempfile::tempdir().unwrap();
    let environment = environment(place.path());
    let entries = format!(
        r#"{{"auths":{{"h.example":{},"h.example/team":{},"h.example/team/app":{}}}}}"#,
        auth("host", "x"),
        auth("team", "x"),
        auth("app", "x")
    );
    write(&place.path().join("run/containers/auth.json"), &entries);
    for (image, expected) in [("h.example/team/app", "app"), ("h.example/team/other", "team"), ("h.example/x", "host")]
    {
        assert_eq!(
            user(find(&environment, None, &name(image), Permission::granted()).unwrap()).as_deref(),
            Some(expected),
            "{image}"
        );
    }
    assert_eq!(find(&environment, None, &name("other.example/team"), Permission::granted()).unwrap(), None);
}

#[test]
fn every_file_is_tried_and_a_broken_one_is_no_obstacle() {
    let place = tempfile::tempdir().unwrap();
    let environment = environment(place.path());
    write(&place.path().join("run/containers/auth.json"), r#"{"auths":{}}"#);
    write(&place.path().join("config/containers/auth.json"), "{broken");
    let entries = format!(r#"{{"auths":{{"{DOCKER_HUB_KEY}":{}}}}}"#, auth("me", "x:y"));
    write(&place.path().join("docker/config.json"), &entries);
    let found = find(&environment, None, &name("alpine"), Permission::granted()).unwrap().unwrap();
    assert!(found.source.ends_with("docker/config.json"), "{}", found.source);
    let password = Secret::new("x:y".into());
    assert_eq!(found.credential, Credential::Password { user: "me".into(), password });
}

#[test]
fn a_file_that_was_asked_for_is_the_only_one_and_must_be_there() {
    let place = tempfile::tempdir().unwrap();
    let missing = place.path().join("none.json");
    let error =
        find(&environment(place.path()), Some(&missing), &name("h.example/a"), Permission::granted()).unwrap_err();
    assert!(error.to_string().contains("none.json"), "{error}");
    let broken = place.path().join("broken.json");
    write(&broken, r#"{"auths":{"h.example":{"auth": hunter2"#);
    let error = find(&environment(place.path()), Some(&broken), &name("h.example/a"), Permission::granted())
        .unwrap_err()
        .to_string();
    assert!(error.contains("broken.json") && !error.contains("hunter2"), "{error}");
}

#[test]
fn helpers_are_asked_and_may_be_missing() {
    let place = tempfile::tempdir().unwrap();
    let mut environment = environment(place.path());
    let helper = place.path().join("bin/docker-credential-vault");
    write(
        &helper,
        "#!/bin/sh\nread host\n[ \"$host\" = h.example ] && echo '{\"Username\":\"<token>\",\"Secret\":\"t\"}'\n",
    );
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let entries = format!(
        r#"{{"credHelpers":{{"h.example":"vault","i.example":"missing","j.example":"../evil"}},"credsStore":"none","auths":{{"i.example":{}}}}}"#,
        auth("fallback", "x")
    );
    write(&place.path().join("docker/config.json"), &entries);
    environment.path = std::env::var_os("PATH").map(|rest| {
        let mut path = place.path().join("bin").into_os_string();
        path.push(":");
        path.push(rest);
        path
    });
    let found = find(&environment, None, &name("h.example/a"), Permission::granted()).unwrap().unwrap();
    assert_eq!(found.credential, Credential::IdentityToken(Secret::new("t".into())));
    assert!(found.source.contains("docker-credential-vault") && found.source.contains("config.json"));
    assert_eq!(
        user(find(&environment, None, &name("i.example/a"), Permission::granted()).unwrap()).as_deref(),
        Some("fallback")
    );
    assert_eq!(find(&environment, None, &name("j.example/a"), Permission::granted()).unwrap(), None);
}
