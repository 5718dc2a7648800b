use serde::Serialize;

use super::{Pairs, known};
use nixdive_image::{Config, HistoryEntry};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigDocument<'a> {
    created: Option<&'a str>,
    author: Option<&'a str>,
    entrypoint: &'a [String],
    cmd: &'a [String],
    env: &'a [String],
    user: Option<&'a str>,
    working_directory: Option<&'a str>,
    exposed_ports: &'a [String],
    volumes: &'a [String],
    labels: Pairs<'a>,
    stop_signal: Option<&'a str>,
    healthcheck: Option<HealthcheckDocument<'a>>,
    shell: &'a [String],
    on_build: &'a [String],
    history: Vec<HistoryDocument<'a>>,
}

impl<'a> ConfigDocument<'a> {
    pub fn new(config: &'a Config) -> Self {
        Self {
            created: config.created.as_deref(),
            author: config.author.as_deref(),
            entrypoint: &config.entrypoint,
            cmd: &config.cmd,
            env: &config.env,
            user: known(&config.user),
            working_directory: known(&config.working_directory),
            exposed_ports: &config.exposed_ports,
            volumes: &config.volumes,
            labels: Pairs(&config.labels),
            stop_signal: config.stop_signal.as_deref(),
            healthcheck: config.healthcheck.as_ref().map(|check| HealthcheckDocument {
                test: &check.test,
                interval_nanoseconds: check.interval,
                timeout_nanoseconds: check.timeout,
                start_period_nanoseconds: check.start_period,
                retries: check.retries,
            }),
            shell: &config.shell,
            on_build: &config.on_build,
            history: config.history.iter().map(HistoryDocument::new).collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HealthcheckDocument<'a> {
    test: &'a [String],
    interval_nanoseconds: Option<u64>,
    timeout_nanoseconds: Option<u64>,
    start_period_nanoseconds: Option<u64>,
    retries: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HistoryDocument<'a> {
    created: Option<&'a str>,
    created_by: Option<&'a str>,
    author: Option<&'a str>,
    comment: Option<&'a str>,
    empty_layer: bool,
}

impl<'a> HistoryDocument<'a> {
    fn new(entry: &'a HistoryEntry) -> Self {
        Self {
            created: entry.created.as_deref(),
            created_by: entry.created_by.as_deref(),
            author: entry.author.as_deref(),
            comment: entry.comment.as_deref(),
            empty_layer: entry.empty_layer,
        }
    }
}
