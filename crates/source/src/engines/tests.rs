use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn environment(place: &Path) -> EngineEnvironment {
    EngineEnvironment {
        docker_config: Some(place.join("docker")),
        runtime: Some(place.join("run")),
        home: Some(place.join("home")),
        root: place.join("root"),
        ..EngineEnvironment::default()
    }
}

fn paths(engine: Engine, environment: &EngineEnvironment) -> Vec<PathBuf> {
    sockets(engine, environment).into_iter().map(|socket| socket.path).collect()
}

#[test]
fn sockets_of_the_system_and_of_a_person() {
    let place = tempfile::tempdir().unwrap();
    let mut environment = environment(place.path());
    assert_eq!(paths(Engine::Docker, &environment)[0], place.path().join("root/var/run/docker.sock"));
    assert_eq!(paths(Engine::Podman, &environment)[0], place.path().join("run/podman/podman.sock"));
    environment.docker_host = Some("unix:///x/docker.sock".into());
    assert_eq!(paths(Engine::Docker, &environment), [PathBuf::from("/x/docker.sock")]);
}

#[test]
fn the_current_context_says_where_docker_listens() {
    let place = tempfile::tempdir().unwrap();
    let environment = environment(place.path());
    // SHA-256 of "colima".
    let meta =
        place.path().join("docker/contexts/meta/f24fd3749c1368328e2b149bec149cb6795619f244c5b584e844961215dadd16");
    fs::create_dir_all(&meta).unwrap();
    fs::write(place.path().join("docker/config.json"), r#"{"currentContext":"colima"}"#).unwrap();
    let host = r#"{"Name":"colima","Endpoints":{"docker":{"Host":"unix:///c/docker.sock"}}}"#;
    fs::write(meta.join("meta.json"), host).unwrap();
    assert_eq!(paths(Engine::Docker, &environment), [PathBuf::from("/c/docker.sock")]);
}

#[test]
fn an_engine_that_is_not_there_is_said_to_be_looked_for() {
    let place = tempfile::tempdir().unwrap();
    let error = EngineClient::find(Engine::Podman, &environment(place.path()), &HttpOptions::default()).err().unwrap();
    assert!(error.to_string().contains("podman.sock"), "{error}");
}
