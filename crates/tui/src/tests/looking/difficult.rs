//! Files that are not what they claim, and content that is hard to show.

use super::super::hostile::{POISON, assert_clean};
use super::*;
use nixdive_preview::{ContentKind, HexView, classify};

/// Shows a file by its content, whatever its name claims.
fn any_file(content: &[u8], name: &str, request: &ViewRequest) -> View {
    let section = Section::from_bytes(content.to_vec());
    match classify(&section, name.as_bytes()).unwrap() {
        ContentKind::Text(encoding) => {
            let kind = ContentKind::Text(encoding).name().to_owned();
            View { kind, ..of_text(content, encoding, name, request) }
        }
        kind => {
            let mut hex = HexView::new(section);
            hex.fit(usize::from(request.width));
            View { measure: Measure::Bytes, kind: kind.name().to_owned(), ..answer(&mut hex, request) }
        }
    }
}

fn opened(size: (u16, u16), content: &[u8], name: &str, keys: &str) -> Person {
    let mut person = Person::seeing(web(), size);
    person.presses("f").types("hosts").presses("enter");
    goes(&mut person, &format!("p {keys}"), &|request| any_file(content, name, request));
    person
}

fn utf16(text: &str) -> Vec<u8> {
    [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

#[test]
fn what_only_claims_to_be_text_is_shown_as_what_it_is() {
    let binary: Vec<u8> = b"{\"a\": \0\x01\x02\x03".iter().copied().chain(0..=255).collect();
    let person = opened(SIZE, &binary, "/a.json", "");
    assert!(person.text().contains("binary") && person.text().contains("00000000  7b 22 61"), "{}", person.text());
    shows("preview_false_json", |size| opened(size, &binary, "/a.json", ""));
    shows("preview_invalid_utf8", |size| {
        opened(
            size,
            b"caf\xc3\xa9 caf\xe9 \xff\xfe\nnext \x80\x80 line with enough plain text around it\n",
            "/a.txt",
            "",
        )
    });
    shows("preview_utf16", |size| opened(size, &utf16("[section]\nkey = \u{e9}\u{65e5}\u{672c}\n"), "/a.ini", ""));
}

#[test]
fn a_line_of_a_million_columns_is_cut_or_wrapped() {
    let line = "0123456789".repeat(100_000) + "\nafter\n";
    let person = opened(SIZE, line.as_bytes(), "/a.js", "");
    assert!(line_of(&person, 3).ends_with("after"), "{}", person.text());
    shows("preview_million_columns", |size| opened(size, line.as_bytes(), "/a.js", "l"));
    shows("preview_million_columns_wrapped", |size| opened(size, line.as_bytes(), "/a.js", "w pgdn pgdn j"));
    let person = opened(SIZE, line.as_bytes(), "/a.js", "w G");
    assert!(line_of(&person, 22).ends_with("after"), "{}", person.text());
}

#[test]
fn characters_of_every_width_and_direction_stay_in_their_cells() {
    let content = "plain\n日本語 wide\ncombining e\u{301}e\u{301}\nzero\u{200b}width\u{feff}\nright \u{202e}to left\u{202c}\n\
        family 👩‍👩‍👧‍👦 end\nescape \u{1b}[31mred\u{1b}[0m\u{7}\ntab\tstop\u{0c}\r\n";
    shows("preview_characters", |size| opened(size, content.as_bytes(), "/a.txt", ""));
    shows("preview_characters_wrapped", |size| {
        opened((size.0.min(40), size.1), content.repeat(3).as_bytes(), "/a.txt", "w j")
    });
    for keys in ["", "w", "l", "l l l l"] {
        assert_clean(&opened(SIZE, content.as_bytes(), "/a.txt", keys), keys);
    }
}

#[test]
fn no_content_steers_the_terminal() {
    let content = format!("#!/bin/sh\necho '{POISON}'\n{POISON}");
    let mut person = opened(SIZE, content.as_bytes(), "/a.sh", "");
    assert!(person.text().contains("52;c;eA=="), "{}", person.text());
    assert_clean(&person, "in a preview");
    goes(&mut person, "w", &|request| any_file(content.as_bytes(), "/a.sh", request));
    assert_clean(&person, "in a wrapped preview");
    person.presses("/");
    person.takes(Message::Paste(POISON.into()));
    assert_clean(&person, "while a poisoned text is looked for");
    let request = asked(&person);
    let find = Some(FindState { text: "x".into(), problem: Some(POISON.into()), ..FindState::default() });
    let view = View {
        kind: POISON.into(),
        problem: Some(POISON.into()),
        halves: Some((POISON.into(), POISON.into())),
        find,
        ..any_file(content.as_bytes(), "/a.sh", &request)
    };
    person.hears(Report::View(Box::new(view)));
    assert_clean(&person, "with words from an image");
}

#[test]
fn a_layer_that_turns_out_corrupt_is_said_and_the_rest_goes_on() {
    let corrupt = |size| {
        let mut person = Person::seeing(web(), size);
        person.presses("f").types("hosts").presses("enter");
        goes(&mut person, "p", &|request| View {
            problem: Some("layer 2: gzip stream: corrupt deflate data (-3), at compressed byte 73401".into()),
            ..of_text(b"what came before it\nis still there\n", Encoding::Utf8, "/a.txt", request)
        });
        person
    };
    shows("preview_corrupt", corrupt);
    let mut person = corrupt(SIZE);
    assert!(person.text().contains("layer 2") && person.text().contains("is still there"), "{}", person.text());
    person.presses("esc j p");
    assert!(person.session().viewer.is_some(), "another file is looked into");
}
