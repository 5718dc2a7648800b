//! Findings of images in every form of the report.

use nixdive_analyse::findings::{MOST_EVIDENCE, Rule, redact};
use nixdive_analyse::testing::{Judged, big, file, one};
use nixdive_image::HistoryEntry;
use nixdive_image::testing::archive::{Written, any_entries, docker_archive, tar_of};
use nixdive_scan::Section;
use nixdive_source::open::{OpenOptions, Progress, open_section};
use proptest::prelude::*;

use super::*;

const BODY: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
const AWS: &str = "AKIAQ3EGRL2NDOW5ZKPT";
const PASSWORD: &str = "correct-horse-battery";

fn key() -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{BODY}\n-----END PRIVATE KEY-----\n")
}

fn step(command: &str) -> HistoryEntry {
    HistoryEntry { created_by: Some(command.to_owned()), empty_layer: true, ..HistoryEntry::default() }
}

fn shown(judged: &Judged) -> Vec<String> {
    let report = |format| {
        let mut out = Vec::new();
        let inspection = Inspection::new(&judged.opened.image, InspectOptions::default());
        let inspection = inspection.with_store(judged.store.as_ref()).with_findings(Some(&judged.found));
        inspection.write(format, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    [Format::Text, Format::Json, Format::Markdown].map(report).to_vec()
}

#[test]
fn many_hits_are_counted_and_few_are_kept() {
    let entries = (0..5000).map(|number| Written { mode: 0o4777, ..file(&format!("bin/p{number}"), "x") });
    let judged = one(entries.collect()).judge();
    for rule in [Rule::SetUid, Rule::WorldWritable] {
        let finding = judged.of(rule).unwrap();
        assert_eq!((finding.count, finding.evidence.len()), (5000, MOST_EVIDENCE));
    }
    assert!(shown(&judged)[0].lines().count() < 200);
}

#[test]
fn names_that_would_steer_a_terminal_are_spelled_out() {
    let evil = "\u{1b}[2J\u{202e}|`x`\n";
    let judged = one(vec![
        Written { mode: 0o4777, ..file(&format!("bin/{evil}"), "x") },
        big(&format!("opt/{evil}a"), 20_000),
        Written::file(&format!("opt/{evil}b"), &big(&format!("opt/{evil}a"), 20_000).content),
    ])
    .configured(|image| {
        image.config.user = "0\u{1b}[2J".to_owned();
        image.config.env = vec!["X\u{1b}[2J_PASSWORD=correct-horse-battery".to_owned()];
    })
    .judge();
    for text in shown(&judged) {
        let bad = text.chars().find(|&letter| letter != '\n' && steers_terminal(letter));
        assert_eq!(bad, None, "{text}");
    }
}

#[test]
fn no_secret_is_in_any_form_of_the_report() {
    let made = one(vec![
        file("srv/.env", &format!("DB_PASSWORD={PASSWORD}\nid={AWS}\n")),
        file("srv/key.pem", &key()),
        file("root/.netrc", &format!("machine a login b password {PASSWORD}\n")),
    ]);
    let mut judged = made
        .configured(|image| {
            image.config.env =
                vec![format!("DB_PASSWORD={PASSWORD}"), format!("URL=https://me:{PASSWORD}@example.org/")];
            image.config.labels = vec![("client_secret".into(), PASSWORD.into())];
            image.config.history = vec![step(&format!("/bin/sh -c #(nop)  ENV API_KEY {PASSWORD}"))];
            image.config.cmd = vec![format!("--api-key={PASSWORD}")];
            image.layers[0].created_by = Some(format!("|1 TOKEN={AWS} /bin/sh -c make"));
        })
        .judge();
    redact(&mut judged.opened.image);
    for format in [Format::Text, Format::Json, Format::Markdown] {
        let mut out = Vec::new();
        let inspection = Inspection::new(&judged.opened.image, InspectOptions::default());
        inspection.with_findings(Some(&judged.found)).write(format, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for secret in [PASSWORD, AWS, BODY] {
            assert!(!text.contains(secret), "{format:?} shows {secret}:\n{text}");
        }
        for name in ["DB_PASSWORD", "client_secret", "image.secret-in-environment", "(redacted)"] {
            assert!(text.contains(name), "{format:?} does not show {name}:\n{text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Nothing panics, no sum is larger than what there is, and evidence is bounded.
    #[test]
    fn any_image_is_judged(layers in proptest::collection::vec(any_entries(30), 1..4)) {
        let written: Vec<Vec<u8>> = layers.iter().map(|entries| tar_of(entries)).collect();
        let section = Section::from_bytes(docker_archive(&written));
        prop_assume!(open_section(section, "test.tar", &OpenOptions::default(), &Progress::new()).is_ok());
        let judged = nixdive_analyse::testing::layers(layers).judge();
        prop_assert!(judged.found.reclaimable_bytes <= judged.opened.image.file_bytes());
        for finding in &judged.found.list {
            prop_assert!(finding.evidence.len() <= MOST_EVIDENCE);
        }
        shown(&judged);
    }
}
