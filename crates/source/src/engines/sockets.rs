use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use nixdive_image::reference::Engine;

/// Maximum bytes of a file of Docker's configuration.
const MAX_BYTES: u64 = 4 << 20;

/// Variables and directories that determine the engines' sockets.
#[derive(Debug, Clone, Default)]
pub struct EngineEnvironment {
    /// `$DOCKER_HOST`.
    pub docker_host: Option<String>,
    /// `$DOCKER_CONTEXT`.
    pub docker_context: Option<String>,
    /// `$CONTAINER_HOST`.
    pub container_host: Option<String>,
    /// `$DOCKER_CONFIG`, else `~/.docker`.
    pub docker_config: Option<PathBuf>,
    /// `$XDG_RUNTIME_DIR`.
    pub runtime: Option<PathBuf>,
    /// `$XDG_DATA_HOME`, else `~/.local/share`.
    pub data: Option<PathBuf>,
    /// `$CONTAINERD_NAMESPACE`.
    pub containerd_namespace: Option<String>,
    /// `$HOME`.
    pub home: Option<PathBuf>,
    /// `/`, or a directory used in its place.
    pub root: PathBuf,
}

impl EngineEnvironment {
    /// Returns the environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let home = text("HOME").map(PathBuf::from);
        Self {
            docker_host: text("DOCKER_HOST"),
            docker_context: text("DOCKER_CONTEXT"),
            container_host: text("CONTAINER_HOST"),
            docker_config: text("DOCKER_CONFIG").map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(".docker"))),
            runtime: text("XDG_RUNTIME_DIR").map(PathBuf::from),
            data: text("XDG_DATA_HOME").map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(".local/share"))),
            containerd_namespace: text("CONTAINERD_NAMESPACE"),
            home,
            root: PathBuf::from("/"),
        }
    }
}

/// A possible socket of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// The engine.
    pub engine: Engine,
    /// Path of its socket.
    pub path: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DockerConfig {
    current_context: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Context {
    endpoints: Endpoints,
}

#[derive(Deserialize)]
struct Endpoints {
    docker: Option<Endpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoint {
    host: Option<String>,
}

/// Returns the possible sockets of an engine, the likeliest first. If the environment or Docker's context names one,
/// only that.
#[must_use]
pub fn sockets(engine: Engine, environment: &EngineEnvironment) -> Vec<Socket> {
    let given = match engine {
        Engine::Docker => environment.docker_host.clone().or_else(|| context_host(environment)),
        Engine::Podman => environment.container_host.clone(),
        Engine::Containerd => None,
    };
    if let Some(host) = given {
        let path = host.strip_prefix("unix://").map(PathBuf::from);
        return path.map(|path| Socket { engine, path }).into_iter().collect();
    }
    let below = |base: &Option<PathBuf>, path: &str| base.as_ref().map(|base| base.join(path));
    let root = Some(environment.root.clone());
    let places = match engine {
        Engine::Docker => vec![
            below(&root, "var/run/docker.sock"),
            below(&environment.runtime, "docker.sock"),
            below(&environment.home, ".docker/run/docker.sock"),
            below(&environment.home, ".docker/desktop/docker.sock"),
        ],
        Engine::Podman => {
            vec![below(&environment.runtime, "podman/podman.sock"), below(&root, "run/podman/podman.sock")]
        }
        Engine::Containerd => Vec::new(),
    };
    places.into_iter().flatten().map(|path| Socket { engine, path }).collect()
}

/// Returns the host of Docker's current context (docs.docker.com, "Docker contexts").
fn context_host(environment: &EngineEnvironment) -> Option<String> {
    let config = environment.docker_config.as_ref()?;
    let current = || read::<DockerConfig>(&config.join("config.json"))?.current_context;
    let name = environment.docker_context.clone().or_else(current).filter(|name| name != "default")?;
    let directory: String = Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    read::<Context>(&config.join("contexts/meta").join(directory).join("meta.json"))?.endpoints.docker?.host
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Option<T> {
    let length = fs::metadata(path).ok()?.len();
    if length > MAX_BYTES {
        return None;
    }
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
