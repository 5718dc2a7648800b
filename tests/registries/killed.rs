//! What a run leaves that is killed while it sends what it rebuilds.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use super::server::Server;
use super::support::images::{Image, docker_archive};
use super::support::program::{file, nixdive, run_command, scratch};
use super::support::tar_bytes::{Entry, Tar};
use super::warehouse::Warehouse;

#[test]
fn the_layout_of_a_killed_run_is_removed_by_the_next_one() {
    let place = scratch();
    let script = Entry::file("bin/start", "#!/bin/start\n").mode(0o755);
    let mut image = Image::new(vec![Tar::new().add(script).file("srv/data", "x".repeat(4000)).finish()]);
    image.config["config"] = serde_json::json!({"Entrypoint": ["/bin/start"]});
    let image = file(place.path(), "image.tar", &docker_archive(&image));
    let warehouse = std::sync::Arc::new(Warehouse::default());
    let server = Server::start(move |seen| warehouse.answer(seen));
    let (to, temporary) = (format!("docker://{}/team/app:1", server.host), place.path().join("temporary"));
    std::fs::create_dir(&temporary).unwrap();
    let arguments = ["rebuild", image.to_str().unwrap(), "--keep", "**", "-o", &to];
    let with_places = |command: &mut Command| {
        command.env("TMPDIR", &temporary).env("XDG_CACHE_HOME", place.path().join("cache")).stdin(Stdio::null());
    };
    // A file may not have a single block: the first that is written ends the program.
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -c 0; ulimit -f 0; exec \"$0\" \"$@\""]).arg(nixdive().get_program()).args(arguments);
    with_places(&mut shell);
    let output = shell.output().unwrap();
    assert!(output.status.signal().is_some(), "{}", String::from_utf8_lossy(&output.stderr));
    let left = || std::fs::read_dir(&temporary).unwrap().count();
    assert_eq!(left(), 1, "it was killed in the middle");
    let mut command = nixdive();
    with_places(command.args(arguments));
    let run = run_command(&mut command);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(left(), 0);
}
