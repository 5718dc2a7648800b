use super::super::scene::{Gathered, Hits, Scene};
use super::super::{Evidence, Location, Rule, Severity};
use super::{Launch, may_be_mounted, resolve};
use nixdive_base::text::display_in_sentence;
use nixdive_image::{NodeId, Resolution};

/// Variables whose values are a path that programs of the image open, or several with colons between them.
const PATHS: [&str; 31] = [
    "AWS_CA_BUNDLE",
    "BASH_ENV",
    "CARGO_HTTP_CAINFO",
    "CURL_CA_BUNDLE",
    "FONTCONFIG_FILE",
    "FONTCONFIG_PATH",
    "GCONV_PATH",
    "GDK_PIXBUF_MODULE_FILE",
    "GIT_EXEC_PATH",
    "GIT_SSL_CAINFO",
    "JAVA_HOME",
    "JDK_HOME",
    "JRE_HOME",
    "LD_PRELOAD",
    "LOCALE_ARCHIVE",
    "MAGIC",
    "NIX_SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "OPENSSL_CONF",
    "OPENSSL_MODULES",
    "PIP_CERT",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "SYSTEM_CERTIFICATE_PATH",
    "TERMINFO",
    "TZDIR",
    "VIRTUAL_ENV",
    "XLOCALEDIR",
];

/// Variables that name a file or directory of the image, and lead nowhere. Of several paths one has to be there.
pub(super) fn variables(scene: &Scene<'_>, found: &mut Gathered) {
    let mut hits = Hits::new(Rule::VariableNowhere);
    for (place, variable) in scene.image.config.env.iter().enumerate() {
        let Some((name, value)) = variable.split_once('=') else { continue };
        // A later value takes the place of an earlier one.
        let is_replaced = scene
            .image
            .config
            .env
            .iter()
            .skip(place + 1)
            .any(|later| later.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')));
        if !PATHS.contains(&name) || is_replaced {
            continue;
        }
        let paths: Vec<&str> = value.split([':', ' ']).filter(|path| path.starts_with('/') && path.len() > 1).collect();
        let leads = |path: &&str| match scene.tree.resolve(path.as_bytes(), scene.top, true) {
            Resolution::Found { .. } => true,
            Resolution::Missing { path, .. } => {
                may_be_mounted(scene.image, &path) || scene.has_absent_paths && path.starts_with(b"/nix/store/")
            }
            Resolution::TooManyLinks => false,
        };
        if !paths.is_empty() && !paths.iter().any(leads) {
            let note = format!("{} does not exist", display_in_sentence(variable));
            hits.add(Evidence { location: Location::Environment(place), bytes: 0, note: Some(note) });
        }
    }
    found.finding(scene, hits, |count| match count {
        1 => "a variable names a file that the image does not have".to_owned(),
        _ => format!("{count} variables name files that the image does not have"),
    });
}

/// Reports a missing `/tmp`. A static program alone seldom needs one; libraries, interpreters and
/// shells do.
pub(super) fn temporary_directory(scene: &Scene<'_>, launch: &Launch<'_>, found: &mut Gathered) {
    let other = scene.image.config.env.iter().rev().find_map(|variable| variable.strip_prefix("TMPDIR="));
    let place = other.filter(|place| place.starts_with('/')).unwrap_or("/tmp").as_bytes();
    let is_there = resolve(scene, place).is_some() || may_be_mounted(scene.image, place);
    if !launch.starts() || launch.first.is_none() || is_there {
        return;
    }
    let mut hits = Hits::new(Rule::NoTemporaryDirectory);
    if !launch.is_dynamic {
        hits.severity = Severity::Information;
    }
    let shown = display_in_sentence(&String::from_utf8_lossy(place));
    let location = Location::Path { node: NodeId::ROOT, occurrence: None, layer: None, offset: None };
    hits.add(Evidence { location, bytes: 0, note: Some(format!("{shown} is not in the image")) });
    found.finding(scene, hits, |_| format!("no {shown} for temporary files"));
}
