//! What the program writes to a terminal, as opposed to a pipe.

use std::io::Read;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

/// The bytes that the program writes to a pseudo-terminal. Line feeds come with the carriage return that the terminal
/// adds to them.
pub fn on_terminal(arguments: &[&str], variables: &[(&str, &str)]) -> Vec<u8> {
    let size = PtySize { rows: 50, cols: 200, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(assert_cmd::cargo::cargo_bin!("nixdive"));
    command.args(arguments);
    for name in ["CI", "GITHUB_ACTIONS", "NIXDIVE_LIVE"] {
        command.env_remove(name);
    }
    for (name, value) in variables {
        command.env(name, value);
    }
    let mut child = pair.slave.spawn_command(command).unwrap();
    // Reading ends when nobody holds the other side.
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let mut written = Vec::new();
    // Linux reports the end of a terminal as an error.
    let _ = reader.read_to_end(&mut written);
    let status = child.wait().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&written));
    written
}
