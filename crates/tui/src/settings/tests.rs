use super::Settings;
use crate::action::{Action, Context, Resolved, parse_sequence};
use nixdive_image::SortKey;

fn keys(text: &str) -> Vec<crate::input::Key> {
    parse_sequence(text).unwrap()
}

#[test]
fn the_printed_defaults_are_accepted_and_change_nothing() {
    let settings = Settings::parse(&Settings::default_document()).unwrap();
    assert_eq!(settings.view, Settings::default().view);
    for (context, key, action) in [
        (Context::Tree, "j", Action::MoveDown),
        (Context::Tree, "g g", Action::First),
        (Context::Layers, "q", Action::Quit),
    ] {
        assert_eq!(settings.keymap.resolve(context, &keys(key)), Resolved::Action(action), "{key}");
    }
}

#[test]
fn an_empty_file_is_the_default() {
    assert_eq!(Settings::parse("").unwrap().view, Settings::default().view);
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let table = [
        ("nonsense = 1\n", 1, "unknown setting `nonsense`"),
        ("mouse = true\n[view]\nsort = \"size\"\n", 3, "unknown choice `size`"),
        ("\n\n[view]\nshare = 99\n", 4, "from 20 to 80"),
        ("[colours]\nadded = \"greenish\"\n", 2, "invalid colour"),
        ("[colours]\nhorizon = \"red\"\n", 2, "unknown colour `horizon`"),
        ("[keys]\nfly = \"f\"\n", 2, "unknown action `fly`"),
        ("[keys]\nquit = \"hyper-q\"\n", 2, "invalid key"),
        ("[keys]\nsort = \"x\"\nfind = [\"y\", \"x\"]\n", 3, "already assigned to sort"),
        ("[view]\ncolumns = [\"mode\",\n\"weight\"]\n", 3, "unknown choice `weight`"),
        ("[view]\ncolumns = [\"mode\", \"mode\"]\n", 2, "there already"),
        ("theme = 7\n", 1, "text in quotes"),
        ("mouse = \n", 1, ""),
        ("theme = \"dark\"\ntheme = \"light\"\n", 2, "duplicate"),
    ];
    for (text, line, reason) in table {
        let error = Settings::parse(text).map(|_| ()).unwrap_err();
        assert_eq!(error.line, line, "{text}: {error}");
        assert!(error.to_string().contains(reason), "{text}: {error}");
    }
}

#[test]
fn keys_of_the_file_replace_those_of_the_action() {
    let settings = Settings::parse("[keys]\nquit = [\"x\", \"ctrl-q\"]\n[view]\nsort = \"name\"\n").unwrap();
    let resolve = |key| settings.keymap.resolve(Context::Tree, &keys(key));
    assert_eq!(resolve("x"), Resolved::Action(Action::Quit));
    assert_eq!(resolve("ctrl-q"), Resolved::Action(Action::Quit));
    assert_eq!(resolve("q"), Resolved::Nothing);
    assert_eq!(settings.view.sort, SortKey::Name);
}
