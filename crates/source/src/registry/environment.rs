use std::ffi::OsString;
use std::path::PathBuf;

/// Locations of the user's and the system's configuration files for registries.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `$HOME`.
    pub home: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`, else `~/.config`.
    pub config: Option<PathBuf>,
    /// `$XDG_RUNTIME_DIR`.
    pub runtime: Option<PathBuf>,
    /// `$DOCKER_CONFIG`, else `~/.docker`.
    pub docker: Option<PathBuf>,
    /// `$REGISTRY_AUTH_FILE`.
    pub authfile: Option<PathBuf>,
    /// `$CONTAINERS_REGISTRIES_CONF`.
    pub registries: Option<PathBuf>,
    /// `$PATH`, where helpers are found.
    pub path: Option<OsString>,
    /// `/etc`.
    pub system: PathBuf,
}

impl Environment {
    /// Returns the locations for this process.
    #[must_use]
    pub fn of_process() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let path = |name: &str| set(name).map(PathBuf::from);
        let home = path("HOME");
        Self {
            config: path("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(".config"))),
            runtime: path("XDG_RUNTIME_DIR"),
            docker: path("DOCKER_CONFIG").or_else(|| Some(home.as_ref()?.join(".docker"))),
            authfile: path("REGISTRY_AUTH_FILE"),
            registries: path("CONTAINERS_REGISTRIES_CONF"),
            path: set("PATH"),
            system: PathBuf::from("/etc"),
            home,
        }
    }
}
