use std::path::Path;

use super::super::ci_arguments::{OnMissing, RuleArguments};
use super::super::output;
use super::shown;
use nixdive_analyse::ci::{
    Budget, Configuration, DiveRules, Growth, Metric, OnMissingBaseline, Quota, RuleFile, Subject, Written,
    parse_bytes, parse_quota,
};
use nixdive_base::glob::Glob;
use nixdive_image::reference::{DataReference, Reference};

/// Bytes that a file of rules may have.
const MAX_BYTES: u64 = 1 << 20;
/// The files that are read by themselves where they are.
const DIVE_FILE: &str = ".dive-ci";
const OWN_FILE: &str = ".nixdive-ci";

/// All rules to check.
pub(super) struct Gathered {
    pub configuration: Configuration,
    /// Image or file to measure growth against.
    pub baseline: Option<Reference>,
    /// True if there are rules besides dive's.
    pub has_own_rules: bool,
}

/// Puts files and flags together: dive's file replaces dive's flags, as in dive; of our own all count, flags first.
pub(super) fn gather(arguments: &RuleArguments) -> anyhow::Result<Gathered> {
    let dive_file = read_file(arguments.ci_config.as_deref(), DIVE_FILE)?;
    let own_file = read_file(arguments.rules.as_deref(), OWN_FILE)?;
    let strict =
        arguments.strict || [&dive_file, &own_file].into_iter().flatten().any(|file| file.strict == Some(true));
    note_unknown(dive_file.as_ref(), arguments.ci_config.as_deref().unwrap_or(Path::new(DIVE_FILE)), strict)?;
    note_unknown(own_file.as_ref(), arguments.rules.as_deref().unwrap_or(Path::new(OWN_FILE)), true)?;
    let files = || [own_file.as_ref(), dive_file.as_ref()].into_iter().flatten();
    let mut dive = flags(arguments);
    if dive_file.is_some() {
        if dive != DiveRules::default() {
            output::note("the file of dive's rules replaces the flags of its rules, as it does in dive");
        }
        dive = DiveRules::default();
    }
    if let Some(rules) = files().find_map(|file| file.dive.clone()) {
        dive = rules;
    }
    let mut configuration = Configuration::new(&dive)?;
    let by_flag = arguments.baseline.as_ref().map(|typed| Reference::parse(typed)).transpose()?;
    let own_path = arguments.rules.as_deref().unwrap_or(Path::new(OWN_FILE));
    let dive_path = arguments.ci_config.as_deref().unwrap_or(Path::new(DIVE_FILE));
    // Each is checked, also where another one counts.
    let by_own_file = own_file.as_ref().map(|file| baseline(file, own_path)).transpose()?.flatten();
    let by_dive_file = dive_file.as_ref().map(|file| baseline(file, dive_path)).transpose()?.flatten();
    let by_file = by_own_file.or(by_dive_file);
    add_flags(&mut configuration, arguments)?;
    for file in [dive_file, own_file].into_iter().flatten() {
        configuration.add(file);
    }
    configuration.strict |= strict;
    if let Some(what) = arguments.on_missing_baseline {
        configuration.on_missing_baseline = match what {
            OnMissing::Fail => OnMissingBaseline::Fail,
            OnMissing::Warn => OnMissingBaseline::Warn,
        };
    }
    let rules = &configuration;
    let has_own_rules = !rules.budgets.is_empty()
        || !rules.forbidden_packages.is_empty()
        || !rules.forbidden_paths.is_empty()
        || !rules.forbidden_store_paths.is_empty()
        || !rules.findings.is_empty();
    Ok(Gathered { has_own_rules, baseline: by_flag.or(by_file.map(DataReference::into_reference)), configuration })
}

/// The baseline that a file of rules names. The file is data: it cannot have a program started.
fn baseline(file: &RuleFile, path: &Path) -> anyhow::Result<Option<DataReference>> {
    let Some((text, line)) = &file.baseline else { return Ok(None) };
    let directory = path.parent().unwrap_or(Path::new(""));
    let parsed = DataReference::parse(text, directory);
    Ok(Some(parsed.map_err(|error| anyhow::anyhow!("{}:{line}: baseline {error}", shown(path.as_os_str())))?))
}

fn flags(arguments: &RuleArguments) -> DiveRules {
    let defaults = DiveRules::default();
    DiveRules {
        lowest_efficiency: arguments.lowest_efficiency.clone().unwrap_or(defaults.lowest_efficiency),
        highest_wasted_bytes: arguments.highest_wasted_bytes.clone().unwrap_or(defaults.highest_wasted_bytes),
        highest_user_wasted_percent: arguments
            .highest_user_wasted_percent
            .clone()
            .unwrap_or(defaults.highest_user_wasted_percent),
    }
}

/// Reads a file of rules: one that is named has to be there.
fn read_file(named: Option<&Path>, usual: &str) -> anyhow::Result<Option<RuleFile>> {
    let path = named.unwrap_or(Path::new(usual));
    let name = shown(path.as_os_str());
    match path.metadata() {
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => anyhow::bail!("{name}: {error}; the rules are to be read from it"),
        Ok(metadata) if metadata.len() > MAX_BYTES => anyhow::bail!("{name}: too long for a file of rules"),
        Ok(_) => {}
    }
    let text = std::fs::read_to_string(path).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
    Ok(Some(RuleFile::parse(&name, &text)?))
}

fn note_unknown(file: Option<&RuleFile>, path: &Path, refuse: bool) -> anyhow::Result<()> {
    let name = shown(path.as_os_str());
    for (key, line) in file.into_iter().flat_map(|file| &file.unknown) {
        if refuse {
            anyhow::bail!(
                "{name}:{line}: unknown key `{key}`; expected one of rules, baseline, onMissingBaseline, budgets, forbid, \
                 findings, strict"
            );
        }
        output::note(&format!("{name}:{line}: unknown key `{key}`, ignored"));
    }
    Ok(())
}

fn add_flags(configuration: &mut Configuration, arguments: &RuleArguments) -> anyhow::Result<()> {
    for text in &arguments.max_size {
        let (metric, amount) = metric_and_value("--max-size", text)?;
        let max = Some(parse_count(metric, amount).map_err(|error| anyhow::anyhow!("--max-size: {error}"))?);
        configuration.budgets.push(Budget { subject: Subject::Metric(metric), max, grow: None, place: None });
    }
    for text in &arguments.max_growth {
        let (metric, amount) = metric_and_value("--max-growth", text)?;
        let wrong = |error: String| anyhow::anyhow!("--max-growth: {error}");
        let quota = match amount.trim().ends_with('%') {
            true => parse_quota(amount).map_err(|error| wrong(error.to_string()))?,
            false => Quota::Amount(parse_count(metric, amount).map_err(wrong)?),
        };
        let grow = match quota {
            Quota::Amount(amount) => Growth { amount: Some(amount), ..Growth::default() },
            Quota::Percent(percent) => Growth { percent: Some(percent), ..Growth::default() },
        };
        let grow = Some(grow);
        configuration.budgets.push(Budget { subject: Subject::Metric(metric), max: None, grow, place: None });
    }
    for text in &arguments.forbid_package {
        let value = Subject::package(text).map_err(|error| anyhow::anyhow!("--forbid-package: {error}"))?;
        configuration.forbidden_packages.push(Written { value, place: None });
    }
    for text in &arguments.forbid_path {
        let value = Glob::parse(text).map_err(|error| anyhow::anyhow!("--forbid-path: {error}"))?;
        configuration.forbidden_paths.push(Written { value, place: None });
    }
    Ok(())
}

fn parse_count(metric: Metric, text: &str) -> Result<u64, String> {
    match metric.unit() {
        nixdive_analyse::ci::Unit::Count => text.trim().parse().map_err(|_| {
            format!(
                "invalid value `{}`: expected a whole number, as {} have no unit",
                shown(text.as_ref()),
                metric.name()
            )
        }),
        _ => parse_bytes(text).map_err(|error| error.to_string()),
    }
}

/// `[METRIC=]AMOUNT`.
fn metric_and_value<'t>(flag: &str, text: &'t str) -> anyhow::Result<(Metric, &'t str)> {
    let Some((name, value)) = text.split_once('=') else { return Ok((Metric::Unpacked, text)) };
    let metric = Metric::parse(name).ok_or_else(|| {
        let names: Vec<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        anyhow::anyhow!("{flag}: unknown metric `{}`; expected one of {}", shown(name.as_ref()), names.join(", "))
    })?;
    Ok((metric, value))
}
