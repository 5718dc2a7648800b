use serde_json::json;

use crate::chromium::browser;
use crate::reports::report;
use crate::support::images::{Image, docker_archive};
use crate::support::program::{file, scratch};
use crate::support::tar_bytes::Tar;

/// Names that would do something if any of them were taken for markup, script or a way to somewhere.
const NAMES: [&[u8]; 14] = [
    b"<script>window.ran=1<\xe2\x88\x95script>",
    b"<script src=x>",
    b"<img src=x onerror=window.ran=1>",
    b"<svg onload=window.ran=1>",
    b"\" onmouseover=\"window.ran=1\" x=\"",
    b"' autofocus onfocus='window.ran=1",
    b"javascript:window.ran=1",
    b"${window.ran=1}",
    b"__proto__",
    b"constructor",
    b"line\xe2\x80\xa8separator\xe2\x80\xa9end",
    b"right\xe2\x80\xaeto left",
    b"\x1b[31mred\x1b[0m\r\n",
    b"\xff\xfe not UTF-8 \xc3",
];

fn hostile(bytes: usize) -> Image {
    let names = NAMES.iter().enumerate();
    let tar = names.fold(Tar::new(), |tar, (number, name)| {
        tar.file([b"opt/", *name, b"/", *name].concat(), vec![1; bytes * (number + 1)])
    });
    let tar = tar.file("a</script><script>window.ran=1</script>", vec![2; 900 * bytes]);
    let text = "</script><script>window.ran=1</script><img src=x onerror=window.ran=1>\u{2028}\u{202e}\u{1b}[2J";
    let database: String = (0..3).map(|number| format!("P:{text}{number}\nV:1{text}\nI:{bytes}\n\n")).collect();
    let mut image = Image::new(vec![tar.file("lib/apk/db/installed", database).finish()]);
    image.config["config"] = json!({
        "Env": [format!("X={text}"), text],
        "Labels": {text: text},
        "Cmd": [text],
        "User": text,
    });
    image.config["author"] = text.into();
    image.config["history"] = json!([{ "created_by": text }]);
    image.named("</title><script>window.ran=1</script>:latest")
}

#[test]
fn nothing_that_an_image_says_runs() {
    let Some(mut browser) = browser() else { return };
    let directory = scratch();
    let one = file(directory.path(), "<script>window.ran=1;.tar", &docker_archive(&hostile(1)));
    let other = file(directory.path(), "\"><img src=x onerror=window.ran=1>.tar", &docker_archive(&hostile(7)));
    let (one, other) = (one.to_str().unwrap(), other.to_str().unwrap());
    let reports: [&[&str]; 4] = [
        &["inspect", one, "--findings"],
        &["compare", one, other, "--equivalent"],
        &["share", one, other],
        &["ci", other, "--baseline", one, "--max-growth", "1B", "--forbid-path", "/**"],
    ];
    browser.size(1200, 900);
    for (number, arguments) in reports.into_iter().enumerate() {
        let page = report(directory.path(), &format!("{number}.html"), arguments);
        browser.open(&page);
        let is_intact = |browser: &mut crate::chromium::Browser| {
            assert_eq!(browser.value("typeof window.ran"), "undefined", "{arguments:?}");
            assert_eq!(browser.count("img, iframe, object, a:not([href^='#'])"), 0, "{arguments:?}");
            assert_eq!(browser.count("script"), 4, "{arguments:?}");
            let handlers = "[...document.querySelectorAll('*')].filter((e) => [...e.attributes].some((a) => a.name.startsWith('on'))).length";
            assert_eq!(browser.value(handlers), 0, "{arguments:?}");
        };
        is_intact(&mut browser);
        // Everything is drawn once: all rows, all areas, all that is folded.
        browser.value("document.querySelectorAll('details').forEach((details) => { details.open = true; })");
        browser.value("document.querySelectorAll('thead button, .rows button').forEach((button) => button.click())");
        for _ in 0..3 {
            browser.value("document.querySelectorAll('.tiles button').forEach((tile) => { tile.focus(); tile.dispatchEvent(new MouseEvent('mouseenter')); })");
            browser.value("document.querySelector('.tiles button') && document.querySelector('.tiles button').click()");
        }
        is_intact(&mut browser);
        let shown = browser.text("document.body.innerText");
        let steers = |character: char| nixdive::text::steers_terminal(character) && !"\n\t".contains(character);
        assert!(!shown.contains(steers), "{arguments:?}");
        browser.assert_quiet();
    }
}
