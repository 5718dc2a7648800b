//! Writers that are killed or run out of space: the test program itself, run again.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use super::*;

/// Environment variable with the destination of the child process.
const TARGET: &str = "NIXDIVE_TEST_WRITE_TO";

/// Child process: writes repeatedly, or once with a printed result.
#[test]
fn child() {
    let Some(target) = std::env::var_os(TARGET).and_then(|target| target.into_string().ok()) else { return };
    let (times, destinations) = target.split_once(' ').unwrap();
    let destinations: Vec<String> = destinations.split(' ').map(str::to_owned).collect();
    for _ in 0..times.parse::<u32>().unwrap() {
        match write_small(&destinations, &WriteOptions::default()) {
            Ok(_) => println!("written"),
            Err(error) => println!("error: {error}"),
        }
    }
}

fn command(shell: &str, target: &str) -> Command {
    let program: PathBuf = std::env::current_exe().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{shell} exec \"$0\" tests::kills::child --exact --nocapture")]);
    command.arg(program).env(TARGET, target);
    command
}

#[test]
fn whoever_is_killed_leaves_the_old_file_or_the_new_one() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("image.tar");
    let layout = scratch.path().join("layout");
    let destinations = [file.display().to_string(), format!("oci:{}:a", layout.display())];
    write_small(&destinations, &WriteOptions::default()).unwrap();
    let whole = fs::read(&file).unwrap();
    for run in 0..12 {
        let mut child = command("", &format!("100000 {}", destinations.join(" ")))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(60 + run * 7));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(fs::read(&file).unwrap() == whole, "run {run}");
        assert_eq!(open_text(format!("oci:{}:a", layout.display()).as_ref()).image.layers.len(), 3, "run {run}");
    }
    write_small(&destinations, &WriteOptions::default()).unwrap();
}

#[test]
fn where_there_is_no_room_nothing_is_left() {
    let scratch = tempfile::tempdir().unwrap();
    for destination in ["a.tar", "a.tar.gz", "oci:layout:a", "oci-archive:o.tar", "nix:image.json"] {
        let (transport, path) = destination.split_once(':').map_or(("docker-archive", destination), |parts| parts);
        let target = format!("1 {transport}:{}/{path}", scratch.path().display());
        // Limits files to one block of 512 bytes. The signal is ignored, as a full disk does not send one.
        let output = command("trap '' XFSZ; ulimit -f 1;", &target).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("cannot be written: ") && !said.contains("\nwritten"), "{destination}: {said}");
        assert_eq!(names(scratch.path()), [] as [&str; 0], "{destination}");
    }
}
