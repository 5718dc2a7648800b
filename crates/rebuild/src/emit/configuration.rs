//! Configuration of the image as a Nix expression.

use std::collections::BTreeSet;

use super::nix_text::{NixString, attribute, attribute_path, quoted};
use super::software::variable_of;
use super::survey::{Survey, Target, file_name};
use nixdive_base::text::display_in_sentence;
use nixdive_image::NodeId;

/// Field of the configuration.
pub(super) struct Field {
    pub name: &'static str,
    pub value: Value,
    /// Remarks for review; safe to show.
    pub reviews: Vec<String>,
}

/// Value as it is written.
pub(super) enum Value {
    One(String),
    List(Vec<String>),
    Set(Vec<(String, String)>),
}

/// Programs whose default configuration is in their own store path: the option that changes it, and the file that
/// distributions use.
const CONFIGURATION_OPTIONS: [(&str, &str, &str); 3] = [
    ("pkgs.nginx", "-c", "/etc/nginx/nginx.conf"),
    ("pkgs.apacheHttpd", "-f", "/etc/apache2/apache2.conf"),
    ("pkgs.apacheHttpd", "-f", "/usr/local/apache2/conf/httpd.conf"),
];

/// Maximum number of arguments searched for a program that needs an option.
const MOST_ARGUMENTS: usize = 64;

/// Returns the fields of the image's configuration, in output order.
pub(super) fn configuration(survey: &mut Survey<'_>) -> Vec<Field> {
    let config = survey.request.image.config.clone();
    let mut fields = Vec::new();
    let (entrypoint, entrypoint_reviews) = arguments(survey, &config.entrypoint, true);
    let (command, command_reviews) = arguments(survey, &config.cmd, config.entrypoint.is_empty());
    tell_where_configuration_is(survey, &[&config.entrypoint, &config.cmd]);
    list(&mut fields, "Entrypoint", entrypoint, entrypoint_reviews);
    list(&mut fields, "Cmd", command, command_reviews);
    let (environment, reviews) = environment(survey);
    list(&mut fields, "Env", environment, reviews);
    one(survey, &mut fields, "WorkingDir", &config.working_directory);
    one(survey, &mut fields, "User", &config.user);
    empty_sets(&mut fields, "ExposedPorts", &config.exposed_ports);
    empty_sets(&mut fields, "Volumes", &config.volumes);
    let mut known = BTreeSet::new();
    let labels = config.labels.iter().filter(|(name, _)| known.insert(name.clone()));
    let labels: Vec<(String, String)> = labels.map(|(name, text)| (attribute(name), value(survey, text))).collect();
    if !labels.is_empty() {
        fields.push(Field { name: "Labels", value: Value::Set(labels), reviews: Vec::new() });
    }
    one(survey, &mut fields, "StopSignal", config.stop_signal.as_deref().unwrap_or_default());
    healthcheck(survey, &mut fields);
    list(&mut fields, "Shell", config.shell.iter().map(|text| quoted(text)).collect(), Vec::new());
    list(&mut fields, "OnBuild", config.on_build.iter().map(|text| quoted(text)).collect(), Vec::new());
    for field in &fields {
        field.reviews.iter().for_each(|review| {
            survey.review(review.clone());
        });
    }
    fields
}

fn list(fields: &mut Vec<Field>, name: &'static str, items: Vec<String>, reviews: Vec<String>) {
    if !items.is_empty() {
        fields.push(Field { name, value: Value::List(items), reviews });
    }
}

fn one(survey: &mut Survey<'_>, fields: &mut Vec<Field>, name: &'static str, text: &str) {
    if !text.is_empty() {
        fields.push(Field { name, value: Value::One(value(survey, text)), reviews: Vec::new() });
    }
}

fn empty_sets(fields: &mut Vec<Field>, name: &'static str, names: &[String]) {
    let names: BTreeSet<&String> = names.iter().collect();
    if !names.is_empty() {
        let set = names.into_iter().map(|name| (attribute(name), "{ }".to_owned())).collect();
        fields.push(Field { name, value: Value::Set(set), reviews: Vec::new() });
    }
}

/// Returns a text as a Nix string with store paths replaced.
fn value(survey: &mut Survey<'_>, text: &str) -> String {
    let (string, is_lost) = survey.stores.rewrite(text);
    if is_lost {
        survey.review(format!("`{}` names a store path that nothing provides", display_in_sentence(text)));
    }
    string.quoted()
}

/// Converts arguments and replaces programs among them by their packages. If the first argument is the program to
/// start, it is looked up as a shell would.
fn arguments(survey: &mut Survey<'_>, texts: &[String], begins: bool) -> (Vec<String>, Vec<String>) {
    let (mut written, mut reviews) = (Vec::new(), Vec::new());
    for (place, text) in texts.iter().enumerate() {
        let is_program = begins && place == 0;
        let node = if is_program { program(survey, text) } else { absolute(survey, text) };
        match node.and_then(|node| survey.target(node)).cloned() {
            Some(target) => {
                reviews.extend(doubt(survey, text, &target));
                let mut string = NixString::default();
                string.expression(&target.expression);
                string.text(&format!("/bin/{}", program_name(survey, text, &target)));
                written.push(string.quoted());
                let rest = texts.get(place..).unwrap_or_default();
                written.extend(configuration_option(survey, &target, rest).map(quoted));
            }
            None => {
                let is_there = node.is_some_and(|node| survey.is_own(node));
                if is_program && !is_there && !text.contains("/nix/store/") {
                    let text = display_in_sentence(text);
                    reviews.push(format!("nothing provides `{text}`, which the image starts"));
                }
                written.push(value(survey, text));
            }
        }
    }
    (written, reviews)
}

/// Returns the name of a program in its package. The name that the image uses is preferred if the package has it,
/// because shells and applets behave differently by name.
fn program_name(survey: &Survey<'_>, text: &str, target: &Target) -> String {
    let named = text.rsplit('/').next().unwrap_or_default();
    let known = survey.software.program(named.as_bytes(), &survey.request.image.config);
    let is_same = known.is_some_and(|known| {
        known.program == named && target.expression == format!("pkgs.{}", attribute_path(&known.attribute))
    });
    if is_same || target.expression == "pkgs.busybox" {
        return named.to_owned();
    }
    String::from_utf8_lossy(file_name(&target.below)).into_owned()
}

/// Resolves an argument that is an absolute path.
fn absolute(survey: &Survey<'_>, text: &str) -> Option<NodeId> {
    text.starts_with('/').then(|| survey.resolve(text.as_bytes())).flatten()
}

/// Resolves a program, searching the directories of the search path.
fn program(survey: &Survey<'_>, text: &str) -> Option<NodeId> {
    let config = &survey.request.image.config;
    if text.starts_with('/') {
        return absolute(survey, text);
    }
    if text.contains('/') {
        return survey.resolve(format!("{}/{text}", config.working_directory).as_bytes());
    }
    let path = variable_of(config, "PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned());
    let mut directories = path.split(':').filter(|directory| directory.starts_with('/')).take(64);
    directories.find_map(|directory| survey.resolve(format!("{directory}/{text}").as_bytes()))
}

/// Returns the uncertainty about a program in the configuration.
fn doubt(survey: &Survey<'_>, text: &str, target: &Target) -> Option<String> {
    let attribute = target.expression.strip_prefix("pkgs.")?;
    let text = display_in_sentence(text);
    let is_guess = survey.confidence(attribute) == Some(super::Confidence::Low);
    is_guess.then(|| format!("`{text}` is assumed to be {attribute} of nixpkgs"))
}

/// Returns the option that sets the configuration file of a program, if the image does not set it itself.
fn configuration_option(
    survey: &Survey<'_>,
    target: &Target,
    arguments: &[String],
) -> impl Iterator<Item = &'static str> {
    let found = CONFIGURATION_OPTIONS.iter().find(|(expression, option, path)| {
        *expression == target.expression
            && survey.has_own(path)
            && !arguments.iter().any(|argument| argument.starts_with(option))
    });
    found.into_iter().flat_map(|(_, option, path)| [*option, *path])
}

fn tell_where_configuration_is(survey: &mut Survey<'_>, lists: &[&Vec<String>]) {
    for (expression, option, path) in CONFIGURATION_OPTIONS {
        let is_used = survey.places.iter().any(|place| place.target.expression == expression);
        if !is_used || !survey.has_own(path) {
            continue;
        }
        let of_list = |texts: &Vec<String>| {
            let starts = texts.iter().take(MOST_ARGUMENTS).any(|text| {
                program(survey, text).and_then(|node| survey.target(node)).is_some_and(|to| to.expression == expression)
            });
            (starts, texts.iter().any(|text| text.starts_with(option)))
        };
        let found: Vec<(bool, bool)> = lists.iter().map(|texts| of_list(texts)).collect();
        let (starts, is_set) = (found.iter().any(|found| found.0), found.iter().any(|found| found.1));
        let name = expression.trim_start_matches("pkgs.");
        match (starts, is_set) {
            (true, true) => {}
            (true, false) => survey.review(format!(
                "{name} of nixpkgs reads its configuration from its own store path; {option} {path} is added to its arguments"
            )),
            (false, _) => survey.review(format!(
                "{name} of nixpkgs reads its configuration from its own store path; the program that starts it must pass {option} {path}"
            )),
        }
    }
}

fn environment(survey: &mut Survey<'_>) -> (Vec<String>, Vec<String>) {
    let config = survey.request.image.config.clone();
    let (mut written, mut reviews) = (Vec::new(), Vec::new());
    let has_programs = !survey.mapped().is_empty() || survey.python.is_some();
    let jdk = survey.mapped().into_iter().map(|package| package.attribute).find(|name| name.starts_with("jdk"));
    let has_path = config.env.iter().any(|line| line.starts_with("PATH="));
    if has_programs && !has_path {
        written.push("\"PATH=${lib.makeBinPath programs}\"".to_owned());
    }
    for line in &config.env {
        let mut string = NixString::default();
        match (line.split_once('='), &jdk) {
            (Some(("PATH", old)), _) if has_programs => {
                string.text("PATH=");
                string.expression("lib.makeBinPath programs");
                string.text(":");
                string.append(&survey.stores.rewrite(old).0);
                written.push(string.quoted());
            }
            (Some(("JAVA_HOME", _)), Some(jdk)) => {
                string.text("JAVA_HOME=");
                string.expression(&format!("pkgs.{jdk}.home"));
                written.push(string.quoted());
            }
            _ => written.push(value(survey, line)),
        }
        if line.starts_with("LD_LIBRARY_PATH=") || line.starts_with("LD_PRELOAD=") {
            let line = display_in_sentence(line);
            reviews.push(format!("`{line}` makes programs of nixpkgs load libraries that they were not built for"));
        }
    }
    let has = |attribute: &str| survey.confidence(attribute).is_some();
    let is_set = |name: &str| variable_of(&config, name).is_some();
    if has("tzdata") && !is_set("TZDIR") {
        written.push("\"TZDIR=${pkgs.tzdata}/share/zoneinfo\"".to_owned());
    }
    if survey.wants_locale() && survey.request.store.is_none() && !is_set("LOCALE_ARCHIVE") {
        written.push("\"LOCALE_ARCHIVE=${pkgs.glibcLocales}/lib/locale/locale-archive\"".to_owned());
    }
    (written, reviews)
}

fn healthcheck(survey: &mut Survey<'_>, fields: &mut Vec<Field>) {
    let Some(check) = survey.request.image.config.healthcheck.clone() else { return };
    let (mut set, mut reviews) = (Vec::new(), Vec::new());
    let (kind, rest) = match check.test.split_first() {
        Some((kind, rest)) => (Some(kind), rest),
        None => (None, &[][..]),
    };
    if let Some(kind) = kind {
        let (mut items, found) = arguments(survey, rest, kind == "CMD");
        reviews.extend(found);
        items.insert(0, quoted(kind));
        set.push(("Test".to_owned(), format!("[ {} ]", items.join(" "))));
        if kind == "CMD-SHELL" {
            reviews.push(
                "the health check is a shell command; it finds programs through PATH and at their old paths".into(),
            );
        }
    }
    let numbers = [
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("Retries", check.retries),
    ];
    for (name, number) in numbers {
        // Integers of Nix are signed 64-bit numbers.
        let number = number.filter(|&number| number > 0).and_then(|number| i64::try_from(number).ok());
        set.extend(number.map(|number| (name.to_owned(), number.to_string())));
    }
    if !set.is_empty() {
        fields.push(Field { name: "Healthcheck", value: Value::Set(set), reviews });
    }
}
