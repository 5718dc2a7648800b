//! docker-registry with tokens: a small server gives them, signed with a key whose certificate the registry knows
//! (distribution, "Token Authentication Specification").

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use nixdive::http::{Address, Body, Http, HttpOptions, Method, Request, Secret, Trust, base64};
use serde_json::{Value, json};

use super::live::{Registry, certificates, have};
use super::push_live::{copied, digest_of, sample};
use super::server::{Manner, Reply, Seen, Server};
use super::support::program::{Run, file, nixdive, run_command, scratch};

const SERVICE: &str = "the registry";

/// Gives whoever is «me» with «hunter2» what is asked for, and everybody else nothing.
struct Signer {
    place: PathBuf,
    certificate: String,
}

impl Signer {
    fn new(place: &Path) -> Self {
        let [certificate, _, _] = certificates(place);
        let text = String::from_utf8(certificate).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with("-----"));
        Self { place: place.to_owned(), certificate: lines.collect() }
    }

    fn answer(&self, seen: &Seen) -> Reply {
        let me = format!("Basic {}", base64(b"me:hunter2"));
        if seen.header("authorization") != Some(&me) {
            return Reply::new(401, "{}");
        }
        let token = self.token(&access(&seen.target));
        Reply::new(200, json!({"token": token, "expires_in": 300}).to_string())
    }

    fn token(&self, access: &[Value]) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let header = json!({"typ": "JWT", "alg": "RS256", "x5c": [self.certificate]});
        let claims = json!({
            "iss": "the test", "sub": "me", "aud": SERVICE, "jti": now.to_string(),
            "exp": now + 300, "nbf": now - 10, "iat": now - 10, "access": access,
        });
        let text = format!("{}.{}", in_url(header.to_string().as_bytes()), in_url(claims.to_string().as_bytes()));
        // Several tokens may be asked for at once.
        let name = format!("{:?}", std::thread::current().id());
        file(&self.place, &name, text.as_bytes());
        let mut openssl = Command::new("openssl");
        openssl.args(["dgst", "-sha256", "-sign", "server.key", &name]).current_dir(&self.place);
        format!("{text}.{}", in_url(&openssl.output().unwrap().stdout))
    }
}

/// RFC 7515, "base64url".
fn in_url(bytes: &[u8]) -> String {
    base64(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_")
}

/// What the scopes of a request ask for.
fn access(target: &str) -> Vec<Value> {
    let query = target.split_once('?').unwrap().1;
    let scopes = query.split('&').filter_map(|one| one.strip_prefix("scope="));
    let one = |scope: &str| {
        let scope = scope.replace("%3A", ":").replace("%2F", "/").replace("%2C", ",");
        let parts: Vec<String> = scope.split(':').map(str::to_owned).collect();
        let [kind, name, actions] = parts.as_slice() else { panic!("{scope}") };
        json!({"type": kind, "name": name, "actions": actions.split(',').collect::<Vec<_>>()})
    };
    scopes.map(one).collect()
}

/// Asks the registry, and gives its answer.
fn forwarded(host: &str, seen: &Seen) -> Reply {
    let http = Http::over_network(&Trust::default(), HttpOptions::default()).unwrap();
    let method = match seen.method.as_str() {
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PATCH" => Method::Patch,
        "PUT" => Method::Put,
        _ => Method::Get,
    };
    let mut request = Request::new(method, Address::new(false, host, &seen.target));
    for name in ["accept", "content-type", "content-range", "host"] {
        request.headers.extend(seen.header(name).map(|value| (name, value.to_owned())));
    }
    request.authorization = seen.header("authorization").map(|value| Secret::new(value.to_owned()));
    if !matches!(method, Method::Get | Method::Head) {
        request.body = Body::Bytes(seen.body.clone());
    }
    let answer = http.send(request).unwrap();
    let copied =
        ["content-type", "docker-content-digest", "location", "range", "www-authenticate", "docker-upload-uuid"];
    let headers: Vec<(String, String)> =
        copied.iter().filter_map(|&name| Some((name.to_owned(), answer.header(name)?.to_owned()))).collect();
    let (status, length) = (answer.status, answer.content_length);
    let body = answer.bytes(1 << 30).ok().flatten().unwrap_or_default();
    let reply = headers.into_iter().fold(Reply::new(status, body), |reply, (name, value)| reply.with(&name, value));
    match (method, length) {
        (Method::Head, Some(length)) => reply.sent(Manner::Claimed(length)),
        _ => reply,
    }
}

/// A registry that wants tokens, and who gives them.
struct Guarded {
    _registry: Registry,
    signer: Server,
    place: tempfile::TempDir,
}

impl Guarded {
    fn start() -> Self {
        let place = scratch();
        let signer = Arc::new(Signer::new(place.path()));
        let certificates = std::fs::read(place.path().join("server.pem")).unwrap();
        // In plain http a password goes to the registry's own origin alone: the signer stands in front of the registry.
        let behind = Arc::new(OnceLock::<String>::new());
        let front = Arc::clone(&behind);
        let signer = Server::start(move |seen| match (seen.target.starts_with("/token"), front.get()) {
            (false, Some(host)) => forwarded(host, seen),
            _ => signer.answer(seen),
        });
        let auth = format!(
            "auth:\n  token:\n    realm: http://{}/token\n    service: {SERVICE}\n    issuer: the test\n    \
             rootcertbundle: @/bundle\n",
            signer.host
        );
        let registry = Registry::start(&auth, &[("bundle", &certificates)], &["--dest-creds", "me:hunter2"]);
        behind.set(registry.host.clone()).unwrap();
        Self { _registry: registry, signer, place }
    }

    fn name(&self, repository: &str) -> String {
        format!("docker://{}/{repository}:1", self.signer.host)
    }

    fn inspect(&self, repository: &str, login: &str) -> Run {
        let mut command = nixdive();
        command.env("HOME", self.place.path()).env("XDG_CACHE_HOME", self.place.path().join(login));
        run_command(command.args(["inspect", "--format", "json", "--creds", login]).arg(self.name(repository)))
    }
}

#[test]
fn tokens_of_a_real_registry_are_asked_for_and_shown() {
    if !have(&["docker-registry", "skopeo", "openssl"]) {
        return;
    }
    let guarded = Guarded::start();
    let place = guarded.place.path();
    let creds = ["--dest-creds", "me:hunter2", "--src-creds", "me:hunter2"];
    let copy = |from: &str, to: &str| copied(place, &[&[from, to], creds.as_slice()].concat());
    let (first, other) = (guarded.name("team/pushed"), guarded.name("team/other"));
    let report = copy(&sample(place, "image.tar", b"x"), &first);
    let asked: Vec<String> = guarded.signer.take_requests();
    assert!(asked.iter().any(|one| one.contains("scope=repository%3Ateam%2Fpushed%3Apull%2Cpush")), "{asked:?}");
    let inspected = guarded.inspect("team/pushed", "me:hunter2");
    assert_eq!(inspected.code, Some(0), "{}", inspected.stderr);
    assert!(String::from_utf8(inspected.stdout).unwrap().contains(&digest_of(&report)));
    // Mounting takes a token for two repositories.
    let mounted = copy(&first, &other);
    assert_eq!(mounted["destinations"][0]["layers"][0]["outcome"], "mounted");
    assert_eq!(digest_of(&mounted), digest_of(&report));
    for repository in ["team/pushed", "team/none"] {
        let refused = guarded.inspect(repository, "me:wrong-one");
        assert_eq!(refused.code, Some(2));
        let said = refused.stderr;
        assert!(said.contains("refuses access") && said.contains("answers 401 to the request for a token"), "{said}");
        assert!(!said.contains("wrong-one"), "{said}");
    }
}
