//! The picture of a comparison that the README shows.

use std::path::Path;

use crate::chromium::browser;
use crate::reports::{DOCKER, NIX, report, sample};
use crate::support::program::scratch;

const MOST_BYTES: u64 = 200_000;
const WIDTH: u32 = 1200;
const HEIGHT: u32 = 1075;

/// How much of the picture may look different: fonts are not the same everywhere.
const TOLERANCE: f64 = 0.06;

#[test]
fn the_picture_in_the_readme_is_what_the_report_looks_like() {
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/screenshots/report.png");
    let (Some(mut browser), Some(left), Some(right)) = (browser(), sample(DOCKER), sample(NIX)) else { return };
    let directory = scratch();
    for image in [&left, &right] {
        std::fs::copy(image, directory.path().join(image.file_name().unwrap())).unwrap();
    }
    let page = report(directory.path(), "compare.html", &["compare", DOCKER, NIX]);
    browser.size(WIDTH, HEIGHT);
    browser.open(&page);
    let now = browser.screenshot();
    if std::env::var_os("NIXDIVE_UPDATE").is_some() {
        std::fs::write(&picture, decoded(&now)).unwrap();
    }
    let stored = std::fs::read(&picture).expect("written with NIXDIVE_UPDATE=1 cargo test --test browser");
    assert!(stored.len() as u64 <= MOST_BYTES, "{} bytes", stored.len());
    let stored = encoded(&stored);
    browser.call("Page.navigate", serde_json::json!({"url": "about:blank"}));
    // The pictures are made small, so that letters turn into shades, and compared point by point.
    let difference = browser.value(&format!(
        "(async () => {{
            const small = async (data) => {{
                const image = new Image();
                image.src = 'data:image/png;base64,' + data;
                await image.decode();
                const canvas = document.createElement('canvas');
                [canvas.width, canvas.height] = [60, 67];
                const context = canvas.getContext('2d');
                context.imageSmoothingQuality = 'high';
                context.drawImage(image, 0, 0, 60, 67);
                return [image.width, image.height, context.getImageData(0, 0, 60, 67).data];
            }};
            const [one, other] = await Promise.all([small('{stored}'), small('{now}')]);
            if (one[0] !== other[0] || one[1] !== other[1]) return 1;
            return one[2].reduce((sum, value, at) => sum + Math.abs(value - other[2][at]), 0) / one[2].length / 255;
        }})()"
    ));
    let difference = difference.as_f64().unwrap();
    assert!(
        difference < TOLERANCE,
        "it differs by {difference:.3}: renew it with NIXDIVE_UPDATE=1 cargo test --test browser"
    );
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 (RFC 4648, section 4) as bytes.
fn decoded(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .bytes()
        .filter_map(|byte| DIGITS.iter().position(|&digit| digit == byte))
        .map(|digit| u32::try_from(digit).unwrap())
        .collect();
    let group = |group: &[u32]| {
        let bits = group.iter().enumerate().fold(0, |bits, (place, digit)| bits | digit << (18 - 6 * place));
        bits.to_be_bytes()[1..group.len()].to_vec()
    };
    digits.chunks(4).flat_map(group).collect()
}

/// Bytes as Base64.
fn encoded(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |place: usize| u32::from(group.get(place).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place > group.len() { '=' } else { char::from(digit) });
        }
    }
    text
}

#[test]
fn base64_is_read_and_written() {
    for (bytes, text) in [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"foobar", "Zm9vYmFy")] {
        assert_eq!((decoded(text).as_slice(), encoded(bytes).as_str()), (bytes, text));
    }
}
