use super::*;
use crate::layout::Pane;
use crate::{Choice, Mouse, MouseAction};
use samples::{nix, web};

const SIZE: (u16, u16) = (120, 40);

/// (description, keys, the rows then, the selected path then)
type Journey = (&'static str, &'static str, &'static [&'static str], &'static str);

const JOURNEYS: &[Journey] = &[
    (
        "the whole image is there at once, the largest first, with what came since the base",
        "",
        &["~usr", "~etc", "+opt", "~var", " bin"],
        "/usr",
    ),
    ("a layer down shows the base alone", "down", &["+var", "+usr", "+etc", "+bin"], "/usr"),
    ("the next one shows what it did", "down down", &[" var", " usr", "~etc", "+opt", " bin"], "/usr"),
    ("the last one too", "G", &["~usr", " etc", " opt", "~var", " bin"], "/usr"),
    ("aggregated changes count from the base", "G ctrl-a", &["~usr", "~etc", "+opt", "~var", " bin"], "/usr"),
    ("and back", "G ctrl-a ctrl-l", &["~usr", " etc", " opt", "~var", " bin"], "/usr"),
    ("a layer alone has only what is in it", "G v", &["~usr", "~var"], "/usr"),
    ("a removed file is in its layer alone", "G v tab G l", &["~usr", "~var", "~  cache", "-    packages.db"], "/var"),
    (
        "a directory opens and closes",
        "tab j space",
        &["~usr", "~etc", "   passwd", "~  hosts", "+opt", "~var", " bin"],
        "/etc",
    ),
    ("and again", "tab j space space", &["~usr", "~etc", "+opt", "~var", " bin"], "/etc"),
    (
        "right steps in, left steps out",
        "tab l l h",
        &["~usr", "   lib", "~  bin", "~etc", "+opt", "~var", " bin"],
        "/usr",
    ),
    ("left twice closes", "tab l l h h", &["~usr", "~etc", "+opt", "~var", " bin"], "/usr"),
    (
        "all below opens",
        "tab j j L",
        &["~usr", "~etc", "+opt", "+  app", "+    data", "+      one", "+      two", "+    tool", "~var", " bin"],
        "/opt",
    ),
    (
        "all below closes, so that opening again shows one level",
        "tab j j L H space",
        &["~usr", "~etc", "+opt", "+  app", "+    data", "+    tool", "~var", " bin"],
        "/opt",
    ),
    ("control-space closes everything", "tab j j L ctrl-space", &["~usr", "~etc", "+opt", "~var", " bin"], "/opt"),
    (
        "a directory that holds one directory alone opens with it",
        "tab j j space",
        &["~usr", "~etc", "+opt", "+  app", "+    data", "+    tool", "~var", " bin"],
        "/opt",
    ),
    ("by name", "s", &[" bin", "~etc", "+opt", "~usr", "~var"], "/usr"),
    ("by change", "s s", &["~usr", "~etc", "~var", "+opt", " bin"], "/usr"),
    ("the other way round", "s S", &["~var", "~usr", "+opt", "~etc", " bin"], "/usr"),
    ("unmodified hidden", "tab ctrl-u", &["~usr", "~etc", "+opt", "~var"], "/usr"),
    ("added hidden", "tab ctrl-a", &["~usr", "~etc", "~var", " bin"], "/usr"),
    ("added and unmodified hidden", "tab A U j l", &["~usr", "~etc", "~  hosts", "~var"], "/etc"),
    ("only the removed", "tab A M U G", &["~var"], "/var"),
    (
        "to the next change",
        "}",
        &["~usr", "   lib", "~  bin", "~    tool", "~etc", "+opt", "~var", " bin"],
        "/usr/bin/tool",
    ),
    (
        "and the one after it",
        "} }",
        &["~usr", "   lib", "~  bin", "~    tool", "~etc", "   passwd", "~  hosts", "+opt", "~var", " bin"],
        "/etc/hosts",
    ),
    (
        "and before it",
        "} } {",
        &["~usr", "   lib", "~  bin", "~    tool", "~etc", "   passwd", "~  hosts", "+opt", "~var", " bin"],
        "/usr/bin/tool",
    ),
    ("gg and G", "tab G g g", &["~usr", "~etc", "+opt", "~var", " bin"], "/usr"),
    ("an unfinished sequence is forgotten", "tab G g j", &["~usr", "~etc", "+opt", "~var", " bin"], "/bin"),
    ("layers change from the tree too", "tab ]", &["+var", "+usr", "+etc", "+bin"], "/usr"),
];

#[test]
fn keys_lead_where_they_should() {
    let mut wrong = Vec::new();
    for (told, keys, rows, selected) in JOURNEYS {
        let mut person = Person::seeing(web(), SIZE);
        person.presses(keys);
        if person.rows() != *rows || person.selected_path() != *selected {
            wrong.push(format!("{told} ({keys}): {:?} with {}", person.rows(), person.selected_path()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_filter_shows_matches_with_their_directories_while_it_is_typed() {
    let mut person = Person::seeing(web(), SIZE);
    person.presses("/").types("o");
    let all = ["~usr", "   lib", "     libc.so", "~  bin", "~    tool", "~etc", "~  hosts", "+opt", "+  app"];
    assert_eq!(person.rows()[..9], all);
    person.types("ol");
    assert_eq!(person.rows(), ["~usr", "~  bin", "~    tool", "+opt", "+  app", "+    tool"]);
    assert_eq!(person.selected_path(), "/usr/bin/tool", "the first match is selected");
    person.presses("down down down enter");
    assert_eq!(person.selected_path(), "/opt/app/tool", "one moves while typing");
    person.presses("esc");
    assert_eq!(person.selected_path(), "/opt/app/tool", "the selection stays when the filter goes");
    assert!(person.rows().contains(&"+    data".to_owned()), "and the directories above it are open");
}

#[test]
fn a_filter_shows_what_is_in_a_directory_that_it_matches() {
    let mut person = Person::seeing(web(), SIZE);
    person.presses("/").types("app").presses("enter g g l l l");
    assert_eq!(person.rows(), ["+opt", "+  app", "+    data", "+    tool"]);
}

#[test]
fn escape_clears_a_filter_while_it_is_typed_and_after() {
    let all = Person::seeing(web(), SIZE).rows();
    for keys in ["/ t o o l esc", "/ t o o l enter esc", "/ t o o l backspace backspace backspace backspace enter"] {
        let mut person = Person::seeing(web(), SIZE);
        person.presses(keys);
        assert!(person.opened().tree.filter.is_none(), "{keys}");
        assert!(person.rows().len() >= all.len(), "{keys}");
    }
}

#[test]
fn a_search_jumps_into_closed_directories_and_round_the_end() {
    let mut person = Person::seeing(web(), SIZE);
    person.presses("f").types("tool");
    assert_eq!(person.selected_path(), "/usr/bin/tool", "it jumps while it is typed");
    person.presses("enter n");
    assert_eq!(person.selected_path(), "/opt/app/tool");
    person.presses("n");
    assert_eq!(person.selected_path(), "/usr/bin/tool");
    person.presses("N");
    assert_eq!(person.selected_path(), "/opt/app/tool");
}

#[test]
fn the_selection_stays_on_its_path_from_layer_to_layer_and_comes_back_to_it() {
    let mut person = Person::seeing(web(), SIZE);
    person.presses("f").types("data/two").presses("enter");
    assert_eq!(person.selected_path(), "/opt/app/data/two");
    person.presses("]");
    assert_ne!(person.selected_path(), "/opt/app/data/two", "the base layer does not have it");
    person.presses("]");
    assert_eq!(person.selected_path(), "/opt/app/data/two");
}

#[test]
fn a_single_chain_of_directories_is_open_from_the_start() {
    let person = Person::seeing(nix(), SIZE);
    assert_eq!(person.rows().len(), 5, "{:?}", person.rows());
    assert!(person.text().contains("└─▸ hello-2.10 xkqm7yb"), "{}", person.text());
    assert!(person.text().contains("glibc-2.36, hello-2.10"), "{}", person.text());
}

#[test]
fn panes_are_gone_through_with_tab() {
    let mut person = Person::seeing(web(), SIZE);
    let mut panes = Vec::new();
    for key in ["tab", "tab", "tab", "shift-tab"] {
        panes.push(person.presses(key).session().focus);
    }
    assert_eq!(panes, [Pane::Tree, Pane::Details, Pane::Layers, Pane::Details]);
}

#[test]
fn a_better_reading_changes_figures_and_keeps_the_place() {
    let mut person = Person::seeing(web(), SIZE);
    person.presses("down down tab j j L G k");
    let (rows, path) = (person.rows(), person.selected_path());
    person.hears(Report::Refined(web()));
    assert_eq!((person.rows(), person.selected_path()), (rows, path));
}

#[test]
fn resizing_keeps_the_selection_in_sight() {
    let mut person = Person::seeing(web(), SIZE);
    person.presses("tab ctrl-space G");
    for (width, height) in [(50, 15), (31, 9), (200, 60), (84, 8), (20, 4), (80, 24)] {
        person.takes(Message::Resize { width, height });
        assert_eq!(person.selected_path(), "/bin");
        if width >= 30 && height >= 8 {
            assert!(person.text().contains("bin"), "{width}x{height}\n{}", person.text());
        }
    }
}

#[test]
fn copying_says_what_was_copied() {
    let digest = format!("sha256:{}", "02".repeat(32));
    for (keys, copied) in [
        ("tab l j y", "/usr/lib".to_owned()),
        ("down down y", digest),
        ("y", format!("sha256:{}", "07".repeat(32))),
        ("tab j Y", "~\tdrwxr-xr-x\t0:0\t1250\t/etc".to_owned()),
    ] {
        let mut person = Person::seeing(web(), SIZE);
        person.presses(keys);
        assert_eq!(person.effects, [Effect::Copy(copied.clone())], "{keys}");
        assert!(person.text().contains(&format!("Copied {}", copied.split('\t').next().unwrap())), "{keys}");
    }
}

#[test]
fn quitting_and_suspending_are_asked_for_from_anywhere() {
    let start = || Start::Choosing(vec![Choice { reference: "a.tar".into(), ..Choice::default() }]);
    for keys in ["q", "ctrl-c", "/ ctrl-c", "? q"] {
        let mut person = Person::starting(start(), SIZE);
        person.presses(keys);
        assert_eq!(person.effects.last(), Some(&Effect::Quit), "{keys}");
        let mut person = Person::seeing(web(), SIZE);
        person.presses(keys);
        assert_eq!(person.effects.last(), Some(&Effect::Quit), "{keys}");
    }
    let mut person = Person::seeing(web(), SIZE);
    person.presses("/ q ctrl-z");
    assert_eq!(person.effects, [Effect::Suspend], "a letter of a filter does not quit");
}

#[test]
fn one_chooses_an_image_and_comes_back_for_another() {
    let choice = |name: &str| Choice { reference: format!("./{name}"), title: name.into(), detail: "1 MB".into() };
    let start = Start::Choosing(vec![choice("a.tar"), choice("b.tar")]);
    let mut person = Person::starting(start, SIZE);
    person.presses("j enter");
    let first = Opening(1);
    assert_eq!(person.effects, [Effect::Open { opening: first, reference: "./b.tar".into() }]);
    assert!(person.text().contains("b.tar"));
    person.presses("esc");
    assert_eq!(person.effects.last(), Some(&Effect::Cancel(first)));
    person.takes(Message::Report(first, Report::Opened(web())));
    assert!(matches!(person.state.screen, Screen::Choosing), "an opening that was left is not heard any more");
    person.presses("k enter");
    let second = Opening(2);
    assert_eq!(person.effects.last(), Some(&Effect::Open { opening: second, reference: "./a.tar".into() }));
    person.takes(Message::Report(second, Report::Choose(vec![choice("linux/amd64"), choice("linux/arm64")])));
    assert!(person.text().contains("2 images in a.tar"), "{}", person.text());
    person.presses("/").types("arm").presses("enter");
    let third = Opening(3);
    assert_eq!(person.effects.last(), Some(&Effect::Open { opening: third, reference: "./linux/arm64".into() }));
    person.takes(Message::Report(third, Report::Failed("no such layer".into())));
    assert!(person.text().contains("no such layer"));
    person.presses("backspace esc esc");
    assert!(person.text().contains("Images here"), "{}", person.text());
}

#[test]
fn loading_is_stopped_with_escape() {
    let mut person = Person::starting(Start::Loading("big.tar".into()), SIZE);
    person.presses("esc");
    assert_eq!(person.effects, [Effect::Cancel(Opening::FIRST)]);
    assert!(person.text().contains("stopped"));
}

#[test]
fn an_error_after_opening_is_a_banner_and_no_end() {
    let mut person = Person::seeing(web(), SIZE);
    person.hears(Report::Failed("layer 2 is corrupt at byte 77".into()));
    assert!(person.presses("down").text().contains("layer 2 is corrupt at byte 77"), "it stays while one moves");
    assert!(!person.presses("esc").text().contains("corrupt"));
    assert!(person.text().contains("usr"));
}

#[test]
fn a_wrong_digest_is_said_and_marked() {
    let mut person = Person::seeing(web(), SIZE);
    let actual = nixdive_image::Digest::from_sha256(&[9; 32]);
    let check = nixdive_image::DigestCheck::Differs { actual };
    person.hears(Report::DigestChecked { layer: nixdive_image::LayerIndex(1), check });
    assert!(person.text().contains("layer 1 do not match the digest"));
    assert!(person.text().contains("INCOMPLETE OR ALTERED"), "{}", person.text());
    person.presses("esc down down");
    assert!(person.text().contains(&format!("sha256:{}", "09".repeat(4))), "{}", person.text());
}

#[test]
fn an_image_that_is_not_whole_says_so_on_every_page() {
    assert!(!Person::seeing(web(), SIZE).text().contains("INCOMPLETE"));
    let mut opened = web();
    let message = "layer 1 (1.tar): ends at offset 12".to_owned();
    let defect = nixdive_image::Defect { kind: nixdive_image::DefectKind::Incomplete, layer: None, message };
    std::sync::Arc::make_mut(&mut opened.image).defects.push(defect);
    let mut person = Person::seeing(opened, SIZE);
    assert!(person.text().contains("incomplete or altered: layer 1 (1.tar): ends at offset 12"), "{}", person.text());
    for keys in ["esc", "2", "3", "5"] {
        person.presses(keys);
        assert!(person.text().contains("INCOMPLETE OR ALTERED"), "{keys}: {}", person.text());
    }
}

#[test]
fn the_mouse_selects_opens_scrolls_and_drags() {
    let mut person = Person::seeing(web(), SIZE);
    let areas = person.session().areas(SIZE);
    let tree = areas.rows(Pane::Tree);
    let mut mouse = |action, column, row| person.takes(Message::Mouse(Mouse { action, column, row }));
    mouse(MouseAction::Press, tree.x + 5, tree.y + 1);
    mouse(MouseAction::Press, tree.x + 5, tree.y + 1);
    assert_eq!(person.selected_path(), "/etc");
    assert_eq!(person.rows().len(), 7, "a second click opens");
    let mut mouse = |action, column, row| person.takes(Message::Mouse(Mouse { action, column, row }));
    mouse(MouseAction::Press, 4, areas.rows(Pane::Layers).y + 1);
    assert_eq!(person.rows(), ["+var", "+usr", "+etc", "+  passwd", "+  hosts", "+bin"]);
    let mut mouse = |action, column, row| person.takes(Message::Mouse(Mouse { action, column, row }));
    mouse(MouseAction::Press, areas.separator.x, 10);
    mouse(MouseAction::Drag, 80, 10);
    mouse(MouseAction::Release, 80, 10);
    assert_eq!(person.session().areas(SIZE).separator.x, 79);
}

#[test]
fn panes_grow_shrink_and_stand_alone() {
    let mut person = Person::seeing(web(), SIZE);
    let width = |person: &Person| person.session().areas(SIZE).layers.width;
    let before = width(&person);
    assert!(width(person.presses("> >")) > before);
    assert!(width(person.presses("< < <")) < before);
    person.presses("tab z");
    assert_eq!(width(&person), 0);
    assert_eq!(person.session().areas(SIZE).tree.width, 120);
    person.presses("esc");
    assert!(width(&person) > 0);
}

#[test]
fn a_million_rows_are_made_a_part_at_a_time() {
    let names: Vec<String> = (0..200_000).map(|number| format!("f 1 d{}/f{number}", number % 500)).collect();
    let lines: Vec<&str> = names.iter().map(String::as_str).collect();
    let image = samples::image(samples::tree(&[&lines]), &["all"]);
    let opened = crate::Opened { image: std::sync::Arc::new(image), overview: Default::default() };
    let mut person = Person::seeing(opened, SIZE);
    person.presses("tab");
    let key = Key::parse("ctrl-space").unwrap();
    update(&mut person.state, Message::Key(key));
    assert!(person.state.has_work(), "not in one go");
    let first = person.opened().tree.rows().len();
    assert!((60..120_000).contains(&first), "{first} rows at first");
    person.takes(Message::Tick);
    assert_eq!(person.opened().tree.rows().len(), 200_500);
}
