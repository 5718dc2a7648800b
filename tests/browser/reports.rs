use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::chromium::{Browser, browser};
use crate::support::images::{Image, docker_archive};
use crate::support::program::{file, nixdive, run_command, scratch};
use crate::support::tar_bytes::Tar;

/// A sample image of the repository; `None`, with the reason printed, where it is not there.
pub fn sample(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-images").join(name);
    if !path.is_file() {
        assert!(std::env::var_os("NIXDIVE_LIVE").is_none_or(|live| live != "1"), "{name} is missing");
        println!("skipped: {name} is missing");
        return None;
    }
    Some(path)
}

pub const DOCKER: &str = "lighttpd-docker.tar.zst";
pub const NIX: &str = "lighttpd-nix.tar.gz";

/// Writes a report as a file of this name.
pub fn report(directory: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let run = run_command(nixdive().args(arguments).args(["--format", "html"]).current_dir(directory));
    assert!(matches!(run.code, Some(0 | 1)), "{}", run.stderr);
    file(directory, name, &run.stdout)
}

/// The texts of the first rows of a table.
fn rows(browser: &mut Browser, table: &str, count: usize) -> Value {
    browser.value(&format!(
        "[...document.querySelectorAll('[data-table={table}] tbody tr')].slice(0, {count}).map((row) => [...row.cells].map((cell) => cell.textContent))"
    ))
}

/// That every table shows with scripts, before anything is chosen, what it shows without.
fn same_without_scripts(browser: &mut Browser, page: &Path) {
    let all = "[...document.querySelectorAll('[data-table]')].map((table) => table.dataset.table)";
    let tables: Vec<String> = serde_json::from_value(browser.value(all)).unwrap();
    let with: Vec<Value> = tables.iter().map(|table| rows(browser, table, 6)).collect();
    browser.call("Emulation.setScriptExecutionDisabled", json!({"value": true}));
    browser.open(page);
    for (table, with) in tables.iter().zip(&with) {
        assert_eq!(&rows(browser, table, 6), with, "{table}");
        assert!(!with.as_array().unwrap().is_empty(), "{table}");
    }
    assert_eq!(browser.value("getComputedStyle(document.querySelector('.no-script')).display"), "block");
    assert!(browser.count(".figures dd.value") > 2);
    browser.assert_quiet();
    browser.call("Emulation.setScriptExecutionDisabled", json!({"value": false}));
    browser.open(page);
}

/// That whoever does not see the page finds their way.
fn is_accessible(browser: &mut Browser) {
    assert_eq!(browser.count("h1"), 1);
    assert_eq!(browser.count("html[lang=en] main#main, header.top, footer"), 3);
    let unnamed = "[...document.querySelectorAll('table')].filter((table) => table.caption === null).length";
    assert_eq!(browser.value(unnamed), 0);
    let nameless = "[...document.querySelectorAll('button, input, select')].filter((e) => \
                    (e.getAttribute('aria-label') || e.textContent || (e.labels && e.labels[0] && e.labels[0].textContent) || '').trim() === '').length";
    assert_eq!(browser.value(nameless), 0);
    assert_eq!(browser.value("new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size === document.querySelectorAll('[id]').length"), true);
    let broken = "[...document.querySelectorAll('nav a')].filter((a) => document.querySelector(a.getAttribute('href')) === null).length";
    assert_eq!(browser.value(broken), 0);
    browser.value("window.scrollTo(0, 0); document.activeElement.blur()");
    browser.key("Tab");
    assert_eq!(browser.text("document.activeElement.className"), "skip");
    assert_ne!(browser.value("getComputedStyle(document.activeElement).outlineStyle"), "none");
    browser.key("Enter");
    assert_eq!(browser.text("document.activeElement.id"), "main");
}

fn toggles_the_theme(browser: &mut Browser) {
    let background = "getComputedStyle(document.body).backgroundColor";
    let before = browser.text(background);
    browser.click(".theme");
    let after = browser.text(background);
    assert_ne!(before, after);
    browser.click(".theme");
    assert_eq!(browser.text(background), before);
    for (scheme, expected) in [("dark", &after), ("light", &before)] {
        browser.value("delete document.documentElement.dataset.theme");
        browser.media("", scheme);
        assert_eq!(&browser.text(background), expected, "{scheme}");
    }
}

/// That nothing is wider than a narrow screen.
fn fits_a_narrow_screen(browser: &mut Browser) {
    browser.size(400, 800);
    let width = browser.value("document.documentElement.scrollWidth").as_u64().unwrap();
    assert!(width <= 400, "{width}");
    browser.size(1200, 900);
}

fn zooms_the_map(browser: &mut Browser) {
    let place = "document.querySelector('.crumbs [aria-current]').textContent";
    assert_eq!(browser.text(place), "/");
    browser.click(".tiles button");
    assert_ne!(browser.text(place), "/");
    browser.click(".crumbs button");
    assert_eq!(browser.text(place), "/");
    let focused = "document.activeElement.getAttribute('aria-label')";
    browser.value("document.querySelector('.tiles button').focus()");
    let first = browser.text(focused);
    browser.key("ArrowRight");
    assert_ne!(browser.text(focused), first);
    browser.key("ArrowLeft");
    assert_eq!(browser.count(".tiles button[tabindex='0']"), 1, "one area is in the order of the page");
    browser.value("document.querySelector('.tiles button').focus()");
    browser.key("Enter");
    assert_ne!(browser.text(place), "/");
    assert!(browser.value("document.querySelector('.tiles').contains(document.activeElement)").as_bool().unwrap());
    browser.key("Escape");
    assert_eq!(browser.text(place), "/");
    assert_eq!(browser.text(focused), first, "the focus is where it was");
    // No area is outside the map.
    let outside = "(() => { const map = document.querySelector('.tiles').getBoundingClientRect(); \
                   return [...document.querySelectorAll('.tiles button')].map((e) => e.getBoundingClientRect()) \
                   .filter((box) => box.left < map.left - 1 || box.right > map.right + 1 || box.bottom > map.bottom + 1).length; })()";
    assert_eq!(browser.value(outside), 0);
}

#[test]
fn the_report_of_an_image_is_worked_with() {
    let (Some(mut browser), Some(image)) = (browser(), sample(DOCKER)) else { return };
    let directory = scratch();
    let page = report(directory.path(), "image.html", &["inspect", image.to_str().unwrap(), "--findings"]);
    browser.size(1200, 900);
    browser.open(&page);
    browser.assert_quiet();
    same_without_scripts(&mut browser, &page);
    is_accessible(&mut browser);
    toggles_the_theme(&mut browser);
    fits_a_narrow_screen(&mut browser);
    zooms_the_map(&mut browser);

    let heading = |number: usize| format!("[data-table=layers] th:nth-child({number}) button");
    let order = |number: usize| {
        format!(
            "String(document.querySelector('[data-table=layers] th:nth-child({number})').getAttribute('aria-sort'))"
        )
    };
    assert_eq!(browser.text(&order(1)), "ascending");
    browser.click(&heading(3));
    assert_eq!([browser.text(&order(1)), browser.text(&order(3))], ["null", "descending"]);
    let numbers = "[...document.querySelectorAll('[data-table=layers] tbody td:nth-child(3)')].map((cell) => Number(cell.title.replace(/[^0-9]/g, '')))";
    let sorted: Vec<u64> = serde_json::from_value(browser.value(numbers)).unwrap();
    assert!(sorted.len() > 5 && sorted.is_sorted_by(|one, other| one >= other), "{sorted:?}");
    browser.click(&heading(3));
    assert_eq!(browser.text(&order(3)), "ascending");
    let reversed: Vec<u64> = serde_json::from_value(browser.value(numbers)).unwrap();
    assert!(reversed.is_sorted(), "{reversed:?}");

    let all = browser.text_of("[data-table=files] .rows");
    browser.click("[data-table=files] input");
    browser.type_text("LIGHTTPD mod_");
    let filtered = browser.text_of("[data-table=files] .rows");
    assert_ne!(all, filtered);
    assert!(filtered.contains(", of "), "{filtered}");
    let paths = rows(&mut browser, "files", 50);
    let paths = paths.as_array().unwrap();
    assert!(!paths.is_empty());
    assert!(paths.iter().all(|row| row[3].as_str().unwrap().contains("lighttpd/mod_")), "{paths:?}");
    browser.value("document.querySelector('[data-table=files] input').select()");
    browser.type_text("no such path");
    assert!(browser.text_of("[data-table=files] .rows").starts_with("0 rows"));
    browser.value("document.querySelector('[data-table=files] input').select()");
    browser.type_text("usr");
    let before = browser.count("[data-table=files] tbody tr");
    browser.click("[data-table=files] .rows button");
    assert!(browser.count("[data-table=files] tbody tr") > before);
    browser.click("#findings summary");
    assert_eq!(browser.count("#findings details[open]"), 1);
    browser.assert_quiet();
}

#[test]
fn the_report_of_a_comparison_is_worked_with() {
    let (Some(mut browser), Some(left), Some(right)) = (browser(), sample(DOCKER), sample(NIX)) else { return };
    let directory = scratch();
    let images = [left.to_str().unwrap(), right.to_str().unwrap()];
    let page = report(directory.path(), "compare.html", &["compare", images[0], images[1]]);
    browser.size(1200, 900);
    browser.open(&page);
    browser.assert_quiet();
    same_without_scripts(&mut browser, &page);
    is_accessible(&mut browser);
    toggles_the_theme(&mut browser);
    fits_a_narrow_screen(&mut browser);
    zooms_the_map(&mut browser);

    let label = "document.querySelector('.tiles').getAttribute('aria-label')";
    let right = browser.text(label);
    let mut measured = vec![right];
    for measure in ["left", "difference"] {
        let choose = format!(
            "(() => {{ const s = document.querySelector('.tools select'); s.value = '{measure}'; s.dispatchEvent(new Event('change')); }})()"
        );
        browser.value(&choose);
        measured.push(browser.text(label));
    }
    measured.dedup();
    assert_eq!(measured.len(), 3, "{measured:?}");
    browser.click("[data-table=store-paths] th:nth-child(2) button");
    assert_eq!(
        browser.text("document.querySelector('[data-table=store-paths] th:nth-child(2)').getAttribute('aria-sort')"),
        "ascending"
    );
    browser.click("#growth summary");
    assert!(browser.text_of("#growth details[open] .way").contains("dash-0.5.12"));
    browser.assert_quiet();
}

#[test]
fn the_reports_of_sharing_and_of_rules_are_worked_with() {
    let (Some(mut browser), Some(docker), Some(nix)) = (browser(), sample(DOCKER), sample(NIX)) else { return };
    let directory = scratch();
    let (docker, nix) = (docker.to_str().unwrap(), nix.to_str().unwrap());
    browser.size(1200, 900);
    let page = report(directory.path(), "share.html", &["share", docker, nix, nix]);
    browser.open(&page);
    same_without_scripts(&mut browser, &page);
    is_accessible(&mut browser);
    toggles_the_theme(&mut browser);
    fits_a_narrow_screen(&mut browser);
    assert_eq!(browser.count(".matrix"), 3);
    browser.click("[data-table=images-table] th:nth-child(2) button");
    browser.assert_quiet();

    let rules = ["ci", docker, "--baseline", nix, "--max-growth", "1%", "--max-size", "5MB"];
    let page = report(directory.path(), "ci.html", &rules);
    browser.open(&page);
    same_without_scripts(&mut browser, &page);
    is_accessible(&mut browser);
    toggles_the_theme(&mut browser);
    fits_a_narrow_screen(&mut browser);
    zooms_the_map(&mut browser);
    assert!(browser.text_of(".verdict").starts_with("FAIL"));
    assert!(browser.text_of("#problems").contains("max-size"));
    browser.assert_quiet();
}

#[test]
fn a_report_prints_with_everything_unfolded() {
    let (Some(mut browser), Some(left), Some(right)) = (browser(), sample(DOCKER), sample(NIX)) else { return };
    let directory = scratch();
    let images = [left.to_str().unwrap(), right.to_str().unwrap()];
    let page = report(directory.path(), "compare.html", &["compare", images[0], images[1]]);
    browser.size(1200, 900);
    browser.open(&page);
    let pdf = browser.call("Page.printToPDF", json!({"printBackground": false}));
    assert!(pdf["data"].as_str().unwrap().starts_with("JVBERi0"), "%PDF-");
    browser.value("window.dispatchEvent(new Event('beforeprint'))");
    assert_eq!(browser.count("details:not([open])"), 0);
    browser.value("window.dispatchEvent(new Event('afterprint'))");
    assert_eq!(browser.count("details[open]"), 0);
    browser.media("print", "light");
    assert_eq!(browser.value("getComputedStyle(document.querySelector('.tools')).display"), "none");
    browser.assert_quiet();
}

#[test]
fn sixteen_thousand_entries_are_drawn_sorted_and_filtered_at_once() {
    let Some(mut browser) = browser() else { return };
    let directory = scratch();
    let tar = (0..16_000).fold(Tar::new(), |tar, number: usize| {
        tar.file(
            format!("usr/lib/python3/site-packages/package-{}/module-{number}.pyc", number / 500),
            vec![0; number % 700],
        )
    });
    let image = file(directory.path(), "image.tar", &docker_archive(&Image::new(vec![tar.finish()])));
    let page = report(directory.path(), "image.html", &["inspect", image.to_str().unwrap()]);
    let length = page.metadata().unwrap().len();
    assert!(length <= 1_500_000, "{length} bytes");
    browser.size(1200, 900);
    browser.open(&page);
    assert!(browser.text_of("[data-table=files] .rows").contains("of 16,000 rows"));
    browser.click("[data-table=files] input");
    browser.type_text("module-15999");
    assert!(browser.text_of("[data-table=files] .rows").starts_with("1 row,"));
    browser.click("[data-table=files] th:nth-child(4) button");
    zooms_the_map(&mut browser);
    browser.assert_quiet();
}
