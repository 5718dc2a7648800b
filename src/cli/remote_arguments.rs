use std::path::PathBuf;

use clap::Args;

use nixdive_image::execution::Permission;
use nixdive_source::cache::Cache;
use nixdive_source::engines::EngineEnvironment;
use nixdive_source::http::Secret;
use nixdive_source::open::Remote;
use nixdive_source::registry::{Environment, Login, Settings};

/// How registries and engines are reached.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Registries")]
pub struct RemoteArguments {
    /// Check certificates and refuse plain http; «false» does neither
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub tls_verify: Option<bool>,
    /// Take credentials from this file alone
    #[arg(long, value_name = "FILE")]
    pub authfile: Option<PathBuf>,
    /// Log in with this name and password
    #[arg(long, value_name = "USER:PASSWORD", value_parser = parse_login)]
    pub creds: Option<Login>,
    /// Take certificates (*.crt, *.cert, *.key) from this directory
    #[arg(long, value_name = "DIRECTORY")]
    pub cert_dir: Option<PathBuf>,
    /// Fetch layers that the registry does not have from the URLs in the image's manifest
    #[arg(long)]
    pub allow_foreign_urls: bool,
    /// Ask no registry; only what is in the cache can be opened
    #[arg(long)]
    pub offline: bool,
    /// GiB that the cache may have; 0: nothing is kept
    #[arg(long, value_name = "GIB", default_value_t = 5)]
    pub cache_size: u64,
}

impl RemoteArguments {
    /// What the arguments and the environment mean.
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

    /// Where things are kept.
    pub fn cache(&self) -> Option<Cache> {
        let place = Cache::place().filter(|_| self.cache_size > 0)?;
        Some(Cache::new(&place, self.cache_size.saturating_mul(1 << 30)))
    }
}

/// Logins of their own for where images come from and where they go.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Registries")]
pub struct LoginArguments {
    /// Log in with this name and password where images come from
    #[arg(long, value_name = "USER:PASSWORD", value_parser = parse_login)]
    src_creds: Option<Login>,
    /// Log in with this name and password where they go to
    #[arg(long, value_name = "USER:PASSWORD", value_parser = parse_login)]
    dest_creds: Option<Login>,
}

impl LoginArguments {
    /// The way to where images come from.
    pub fn source(&self, remote: &Remote) -> Remote {
        logged_in(remote, self.src_creds.as_ref())
    }

    /// The way to where they go.
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

/// A name and a password. A wrong one is not repeated in the message.
fn parse_login(text: &str) -> Result<Login, String> {
    let (user, password) = text.split_once(':').ok_or("write it as USER:PASSWORD")?;
    Ok((user.to_owned(), Secret::new(password.to_owned())))
}
