//! `rebuild --emit-nix`: the flake, and what a `nix` on PATH makes of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::{Place, contents};
use crate::support::images::Image;
use crate::support::program::{Run, nixdive, run, run_command};
use crate::support::tar_bytes::{Entry, Tar};

/// A script that a shell runs, and nothing that a package owns.
fn service() -> Place {
    let layer = Tar::new()
        .directory("bin")
        .add(Entry::file("bin/start", "#!/bin/sh\necho started\n").mode(0o755))
        .file("srv/page", "page\n")
        .finish();
    let mut image = Image::new(vec![layer]).named("service:1");
    image.config["config"] = json!({"Entrypoint": ["/bin/start"], "WorkingDir": "/srv", "User": "1000"});
    Place::of_image(&image)
}

/// Runs `rebuild --build` with a program of that text as the only nix on PATH, or with none.
fn built_with(place: &Place, nix: Option<&str>) -> Run {
    let programs = place.path("programs");
    fs::create_dir(&programs).unwrap();
    if let Some(text) = nix {
        fs::write(programs.join("nix"), text).unwrap();
        fs::set_permissions(programs.join("nix"), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = nixdive();
    let directory = place.text("flake");
    let arguments = ["rebuild", place.image(), "--emit-nix", &directory, "--build"];
    run_command(command.env("PATH", &programs).args(arguments))
}

#[test]
fn a_flake_has_the_own_files_beside_it_and_says_what_it_did() {
    let place = service();
    let directory = place.text("flake");
    let said = run(&["rebuild", place.image(), "--emit-nix", &directory]);
    assert_eq!((said.code, said.stdout.as_slice()), (Some(0), &b""[..]), "{}", said.stderr);
    assert!(said.stderr.contains("wrote") && said.stderr.contains("README.md"), "{}", said.stderr);
    let flake = fs::read_to_string(place.path("flake/flake.nix")).unwrap();
    assert!(flake.contains("\"/bin/start\"") && flake.contains("name = \"service\";"), "{flake}");
    let files = contents(&place.path("flake/files"));
    assert!(files.contains(&("srv/page".to_owned(), "page\n".to_owned())), "{files:?}");
    let mode = fs::metadata(place.path("flake/files/bin/start")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
}

#[test]
fn a_directory_of_someone_else_is_left_alone() {
    let place = service();
    fs::create_dir(place.path("flake")).unwrap();
    fs::write(place.path("flake/notes"), "keep").unwrap();
    let said = run(&["rebuild", place.image(), "--emit-nix", &place.text("flake")]).refused();
    assert!(said.contains("was not written by nixdive"), "{said}");
    assert_eq!(contents(&place.path("flake")), [("notes".to_owned(), "keep".to_owned())]);
}

#[test]
fn what_nix_builds_is_compared_with_the_image() {
    let place = service();
    let image = place.image();
    let nix = format!("#!/bin/sh\n[ \"$7\" = path:. ] || exit 9\n/bin/ln -s {image} \"$5\"\n");
    let run = built_with(&place, Some(&nix));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.text().contains("service:1"), "{}", run.text());
}

#[test]
fn without_nix_or_with_a_build_that_fails_the_flake_is_there_and_the_reason_is_told() {
    let place = service();
    let run = built_with(&place, None);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("no nix on PATH"), "{}", run.stderr);
    assert!(place.path("flake/flake.nix").exists());
    let place = service();
    let run = built_with(&place, Some("#!/bin/sh\necho attribute missing >&2\nexit 1\n"));
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("attribute missing") && run.stderr.contains("could not build it"), "{}", run.stderr);
}
