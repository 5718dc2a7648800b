use std::path::PathBuf;

use clap::Args;

use nixdive_image::execution::Permission;
use nixdive_source::cache::Cache;
use nixdive_source::engines::EngineEnvironment;
use nixdive_source::http::Secret;
use nixdive_source::open::Remote;
use nixdive_source::registry::{Environment, Login, Settings};

/// Options for reaching registries and engines.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Registries")]
pub struct RemoteArguments {
    /// Verify certificates and refuse plain HTTP; false does neither
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub tls_verify: Option<bool>,
    /// Read credentials only from this file
    #[arg(long, value_name = "FILE")]
    pub authfile: Option<PathBuf>,
    /// User name and password for the registry
    #[arg(long, value_name = "USER:PASSWORD", value_parser = parse_login)]
    pub creds: Option<Login>,
    /// Directory with certificates (*.crt, *.cert, *.key)
    #[arg(long, value_name = "DIRECTORY")]
    pub cert_dir: Option<PathBuf>,
    /// Fetch layers missing from the registry from the URLs in the manifest
    #[arg(long)]
    pub allow_foreign_urls: bool,
    /// Use cached images only; never contact a registry
    #[arg(long)]
    pub offline: bool,
    /// Maximum size of the cache, in GiB; 0 disables it
    #[arg(long, value_name = "GIB", default_value_t = 5)]
    pub cache_size: u64,
}

impl RemoteArguments {
    /// Returns the settings that the arguments and the environment give.
    pub fn remote(&self, execution: Permission) -> Remote {
        Remote {
            settings: Settings {
                authfile: self.authfile.clone(),
                login: self.creds.clone(),
                certificates: self.cert_dir.clone(),
                verify_tls: self.tls_verify,
                foreign_urls: self.allow_foreign_urls,
                execution,
                environment: Environment::of_process(),
            },
            engines: Some(EngineEnvironment::of_process()),
            cache: self.cache(),
            offline: self.offline,
            ..Remote::default()
        }
    }

    /// Returns the cache, unless it is disabled or has no directory.
    pub fn cache(&self) -> Option<Cache> {
        let place = Cache::place().filter(|_| self.cache_size > 0)?;
        Some(Cache::new(&place, self.cache_size.saturating_mul(1 << 30)))
    }
}

/// Separate credentials for the source and the destination.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Registries")]
pub struct LoginArguments {
    /// User name and password for the source's registry
    #[arg(long, value_name = "USER:PASSWORD", value_parser = parse_login)]
    src_creds: Option<Login>,
    /// User name and password for the destination's registry
    #[arg(long, value_name = "USER:PASSWORD", value_parser = parse_login)]
    dest_creds: Option<Login>,
}

impl LoginArguments {
    /// Returns the settings for the source.
    pub fn source(&self, remote: &Remote) -> Remote {
        logged_in(remote, self.src_creds.as_ref())
    }

    /// Returns the settings for the destination.
    pub fn destination(&self, remote: &Remote) -> Remote {
        logged_in(remote, self.dest_creds.as_ref())
    }
}

fn logged_in(remote: &Remote, login: Option<&Login>) -> Remote {
    let mut remote = remote.clone();
    if let Some(login) = login {
        remote.settings.login = Some(login.clone());
    }
    remote
}

/// Parses a user name and a password. The error message does not repeat the text.
fn parse_login(text: &str) -> Result<Login, String> {
    let (user, password) = text.split_once(':').ok_or("expected USER:PASSWORD")?;
    Ok((user.to_owned(), Secret::new(password.to_owned())))
}
