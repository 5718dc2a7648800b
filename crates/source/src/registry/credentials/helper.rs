use std::ffi::OsStr;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::Credential;
use crate::http::Secret;
use nixdive_image::execution::{ExecutionRefused, Permission};

/// Maximum bytes of a helper's output.
const MAX_BYTES: u64 = 64 << 10;
/// Time that a helper may take: it may ask the user to unlock a store.
const PATIENCE: Duration = Duration::from_secs(60);
/// The user name that marks a token.
const TOKEN_USER: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// Returns the credential that `docker-credential-PROGRAM` keeps for a server, or `None` if the helper is missing,
/// fails, or has none.
///
/// # Errors
/// If programs must not be started.
pub(super) fn ask(
    program: &str,
    server: &str,
    search: Option<&OsStr>,
    execution: Permission,
) -> Result<Option<Credential>, ExecutionRefused> {
    let is_plain = program.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if program.is_empty() || !is_plain {
        return Ok(None);
    }
    Ok(answer(execution.command(format!("docker-credential-{program}"))?, server, search))
}

fn answer(mut command: Command, server: &str, search: Option<&OsStr>) -> Option<Credential> {
    if let Some(path) = search {
        command.env("PATH", path);
    }
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    // A helper that does not read its input closes it; its output still counts.
    let _ = child.stdin.take()?.write_all(server.as_bytes());
    let output = child.stdout.take()?;
    let reading = std::thread::spawn(move || {
        let mut printed = Vec::new();
        output.take(MAX_BYTES).read_to_end(&mut printed).ok().map(|_| printed)
    });
    let begun = Instant::now();
    let succeeded = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status.success(),
            Ok(None) if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(2)),
            _ => {
                // It may have ended by now.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    };
    let printed = reading.join().ok()??;
    if !succeeded {
        return None;
    }
    let answer: Answer = serde_json::from_slice(&printed).ok()?;
    let secret = Secret::new(answer.secret);
    if secret.is_empty() {
        None
    } else if answer.username == TOKEN_USER {
        Some(Credential::IdentityToken(secret))
    } else {
        Some(Credential::Password { user: answer.username, password: secret })
    }
}
