use super::*;
use nixdive_analyse::analysis::assess;
use nixdive_analyse::ci::{Evidence, EvidenceKind, Number, Unit};
use nixdive_base::text::steers_terminal;
use nixdive_image::testing::image;

const HOSTILE: &str = "x|`y`\u{1b}[2J</script><script>alert(1)</script>\"'&\u{202e}@owner";

fn rule(number: usize, status: Status) -> RuleResult {
    let text = format!("{number} {}", HOSTILE.repeat(30));
    let evidence = (0..40).map(|step| Evidence {
        chain: vec![HOSTILE.to_owned(); step],
        ..Evidence::new(EvidenceKind::StorePath, HOSTILE, Some(-3), text.clone())
    });
    RuleResult {
        id: format!("max-growth/{number}{HOSTILE}"),
        status,
        actual: Some(Number::Whole(2_000_000)),
        limit: Some(Number::Real(0.5)),
        unit: Unit::Bytes,
        message: text.clone(),
        evidence: evidence.collect(),
        place: None,
        is_dives: false,
    }
}

fn outcome(rules: usize) -> Outcome {
    let statuses = [Status::Pass, Status::Fail, Status::Error, Status::Skip];
    Outcome {
        rules: (0..rules).zip(statuses.into_iter().cycle()).map(|(number, status)| rule(number, status)).collect(),
        warnings: vec![HOSTILE.repeat(50); 200],
    }
}

fn written(outcome: &Outcome, format: CiFormat) -> String {
    let mut image = image(&[&["f usr/bin/tool 5000", "f etc/motd 3"]]);
    image.identity.requested = HOSTILE.repeat(100);
    let assessment = assess(&image);
    let report = CiReport { image: &image, name: "app", assessment: &assessment, outcome, baseline: Some(HOSTILE) };
    let mut out = Vec::new();
    report.write(format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_comment_on_any_number_of_rules_fits_and_begins_with_the_verdict() {
    for rules in [1, 4, 2_000] {
        let outcome = outcome(rules);
        let text = written(&outcome, CiFormat::Markdown);
        assert!(text.chars().count() < 60_000, "{}", text.chars().count());
        assert!(
            !text.chars().any(|character| character != '\n' && steers_terminal(character) && character != '\u{fe0f}')
        );
        let verdict = if rules == 1 { "## ✅ PASS" } else { "## ❌ FAIL" };
        assert!(text.starts_with(verdict), "{}", text.lines().next().unwrap());
    }
}

#[test]
fn the_page_has_the_verdict_and_what_led_to_it() {
    let text = written(&outcome(2_000), CiFormat::Html);
    assert!(text.len() < 3_000_000, "{} bytes", text.len());
    assert_eq!(text.matches("<script").count(), text.matches("</script").count());
    assert!(!text.contains("<script>alert"));
    assert!(!text.chars().any(|character| character != '\n' && steers_terminal(character)));
    for part in ["FAIL", "At least one rule failed", "Failed rules, with evidence", "2.0 MB", "max-growth/1"] {
        assert!(text.contains(part), "{part}");
    }
}
