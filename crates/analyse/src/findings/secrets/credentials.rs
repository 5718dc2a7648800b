/// How a file that programs read credentials from is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    /// `user:hash`.
    Hashes,
    /// `"auth": "…"`.
    DockerConfig,
    /// `machine … password …`.
    Netrc,
    /// `host:port:database:user:password`.
    PgPass,
    /// Names and values.
    Settings,
}

/// Returns the kind of credentials at a path, or `None` for other files.
pub(super) fn file_kind(path: &[u8]) -> Option<FileKind> {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let ends = |ending: &[u8]| path.ends_with(ending);
    if ends(b"/etc/shadow") || ends(b"/etc/shadow-") || ends(b"/etc/gshadow") || name == b".htpasswd" {
        return Some(FileKind::Hashes);
    }
    if ends(b"/.docker/config.json")
        || name == b".dockercfg"
        || name == b".dockerconfigjson"
        || ends(b"/containers/auth.json")
    {
        return Some(FileKind::DockerConfig);
    }
    match name {
        b".netrc" | b"_netrc" => return Some(FileKind::Netrc),
        b".pgpass" => return Some(FileKind::PgPass),
        _ => {}
    }
    let settings: [&[u8]; 15] = [
        b".npmrc",
        b".yarnrc",
        b".yarnrc.yml",
        b".pypirc",
        b"pip.conf",
        b".my.cnf",
        b".git-credentials",
        b".s3cfg",
        b".boto",
        b"wp-config.php",
        b"application.properties",
        b"application.yml",
        b"terraform.tfvars",
        b"secrets.yml",
        b"secrets.json",
    ];
    let is_settings = settings.contains(&name)
        || name == b".env"
        || name.starts_with(b".env.")
        || (name.ends_with(b".env") && name.len() > 4)
        || ends(b"/.aws/credentials")
        || ends(b"/.git/config");
    let is_sample = [&b".example"[..], b".sample", b".dist", b".template"].iter().any(|ending| name.ends_with(ending));
    (is_settings && !is_sample).then_some(FileKind::Settings)
}
