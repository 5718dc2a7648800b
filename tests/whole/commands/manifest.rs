//! Files of Compose and Kubernetes in place of images.

use serde_json::Value;

use super::Place;
use crate::support::images::{Image, sample_layers};
use crate::support::program::{Run, file, nixdive, run, run_command};
use crate::support::tar_bytes::Tar;

/// Two images that share a layer, and room for files that name them.
fn place() -> Place {
    let place = Place::of_image(&Image::new(sample_layers()));
    let other = [sample_layers(), vec![Tar::new().file("opt/own", "own").finish()]].concat();
    let archive = crate::support::images::docker_archive(&Image::new(other));
    file(place.directory.path(), "other.tar", &archive);
    place
}

const COMPOSE: &str = "services:\n  web:\n    image: 127.0.0.1:1/web:${WEB_TAG:-1}\n  job:\n    build: .\n";

fn written(place: &Place, name: &str, text: &str) -> String {
    file(place.directory.path(), name, text.as_bytes());
    place.text(name)
}

fn json(run: Run) -> Value {
    serde_json::from_str(run.done().text()).unwrap()
}

#[test]
fn services_stand_for_their_images() {
    let place = place();
    let compose = written(&place, "any-name", COMPOSE);
    let (web, job) = (format!("web={}", place.image()), format!("job={}", place.text("other.tar")));
    let document = json(run(&["share", &compose, "--map", &web, "--map", &job, "--format", "json"]));
    let users: Vec<&Value> = document["images"].as_array().unwrap().iter().map(|image| &image["usedBy"]).collect();
    assert_eq!(users, ["web", "job"]);
    assert!(document["levels"][0]["shared"][0][1].as_u64() > Some(0));
    for format in ["text", "markdown"] {
        let shown = run(&["share", &compose, "--map", &web, "--map", &job, "--format", format]).done();
        assert!(shown.text().contains("used by") && shown.text().contains("job"), "{}", shown.text());
    }
    let without_command = run(&[&compose, "--map", &web, "--map", &job]).done();
    assert!(without_command.text().contains("used by"), "{}", without_command.text());
    let compared = json(run(&["compare", &compose, "--map", &web, "--map", &job, "--format", "json"]));
    assert_eq!(compared["files"]["added"][0]["path"], "/opt/own");
}

#[test]
fn variables_are_those_of_the_environment_and_of_the_file_beside_it() {
    let place = place();
    let compose = written(&place, "compose.yaml", COMPOSE);
    let refusal = |variable: Option<&str>| {
        let mut command = nixdive();
        command.args(["share", &compose, "--map", &format!("job={}", place.image())]).env_remove("WEB_TAG");
        variable.map(|value| command.env("WEB_TAG", value));
        run_command(&mut command).refused()
    };
    assert!(refusal(None).contains("127.0.0.1:1/web:1"));
    assert!(refusal(Some("2")).contains("127.0.0.1:1/web:2"));
    written(&place, ".env", "WEB_TAG=3\n");
    assert!(refusal(None).contains("127.0.0.1:1/web:3"));
    assert!(refusal(Some("2")).contains("127.0.0.1:1/web:2"));
}

#[test]
fn containers_of_kubernetes_are_mapped_by_name_or_by_reference() {
    let place = place();
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop}\nspec:\n  template:\n    spec:\n      \
        initContainers: [{name: setup, image: 'setup:1'}]\n      containers: [{name: main, image: 'shop:1'}, {name: side, \
        image: 'setup:1'}]\n";
    let manifest = written(&place, "shop.yml", text);
    let map = |name: &str, image: String| format!("--map={name}={image}");
    let (setup, main) = (map("setup:1", place.image().into()), map("Deployment/shop/main", place.text("other.tar")));
    let document = json(run(&["share", &manifest, &setup, &main, "--format", "json"]));
    assert_eq!(document["images"][0]["usedBy"], "Deployment/shop/setup, Deployment/shop/side");
    assert_eq!(document["images"][1]["usedBy"], "Deployment/shop/main");
}

#[test]
fn what_cannot_be_opened_is_said_with_the_way_to_name_it() {
    let place = place();
    let compose = written(&place, "compose.yaml", COMPOSE);
    let image = place.image();
    let one = format!("--map=web={image}");
    let table: &[(&[&str], &[&str])] = &[
        (&["share", &compose], &["compose.yaml", "`job` is built from .", "--map job=FILE"]),
        (&["share", &compose, "--map", &format!("job={image}")], &["127.0.0.1:1/web:1", "--map web=FILE"]),
        (&["share", &compose, &one], &["`job` is built from .", "--map job=FILE"]),
        (&[&compose], &["--map job=FILE"]),
        (&["share", &compose, &one, "--map=jop=x"], &["--map job=FILE"]),
        (
            &["share", &compose, &one, "--map=job=x", "--map=jop=x"],
            &["--map jop", "no such service or image", "web, job"],
        ),
        (&["share", image, image, &one], &["--map", "none of the arguments"]),
        (&["compare", image], &["two images", "got one"]),
        (&["share", image], &["two images", "got one"]),
        (&["compare", &compose, image, &one, "--map=job=x"], &["two images", "got 3"]),
        (&["share", &compose, &one, "--map=job=absent.tar"], &["absent.tar"]),
        (&["share", &compose, &one, &format!("--map=web={image}.x")], &["two images"]),
    ];
    for (arguments, parts) in table {
        let refusal = run(arguments).refused();
        assert!(parts.iter().all(|part| refusal.contains(part)), "{arguments:?}: {refusal}");
    }
    let broken = written(&place, "broken.yaml", "services:\n  web: {image: x}\n  web: {image: y}\n");
    let refusal = run(&["share", &broken, image]).refused();
    assert!(refusal.contains("broken.yaml: line 3") && refusal.contains("duplicate key"), "{refusal}");
    let empty = written(&place, "empty.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n");
    assert!(run(&["share", &empty, image]).refused().contains("names no image"));
    assert!(run(&["share", &compose, "--map", "web"]).stderr.contains("web=web.tar"));
}
