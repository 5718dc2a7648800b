//! Invariants of the rows after any sequence of actions.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::action::{ACTIONS, Action};
use crate::{Mouse, MouseAction, Opened};
use nixdive_image::CompareOrder;

fn layers() -> impl Strategy<Value = Vec<Vec<String>>> {
    let path = "[abc]{1,2}(/[abc]{1,2}){0,3}";
    let line = prop_oneof![
        4 => (0u32..5000, path).prop_map(|(bytes, path)| format!("f {bytes} {path}")),
        2 => path.prop_map(|path| format!("d {path}")),
        1 => path.prop_map(|path| format!("t 10 {path}")),
        1 => path.prop_map(|path| format!("w {path}")),
        1 => path.prop_map(|path| format!("l {path} a/b")),
    ];
    proptest::collection::vec(proptest::collection::vec(line, 0..14), 0..5)
}

fn keys() -> impl Strategy<Value = Vec<Key>> {
    let all: Vec<Key> = ACTIONS
        .iter()
        .filter(|info| !matches!(info.action, Action::Quit | Action::QuitAnyway | Action::Suspend))
        .flat_map(|info| info.keys.iter().flat_map(|keys| keys.split(' ')))
        .chain(["a", "b", "c", "/"])
        .map(|key| Key::parse(key).unwrap())
        .collect();
    proptest::collection::vec(proptest::sample::select(all), 0..40)
}

fn check(person: &mut Person) {
    let Screen::Session(session) = &mut person.state.screen else { return };
    let Some(opened) = &mut session.opened else { return };
    let image = Arc::clone(&opened.image);
    let (view, tree) = (&mut opened.tree, &image.tree);
    let rows = view.rows().to_vec();
    let (selected, path) = (view.selected(), view.selected_row().map(|row| row.node));
    assert!(selected == 0 || selected < rows.len());
    for pair in rows.windows(2) {
        assert!(pair[1].depth <= pair[0].depth + 1, "a child comes right after its directory or its siblings");
    }
    let lens = view.lens(tree);
    for (index, row) in rows.iter().enumerate() {
        let later = rows[index + 1..].iter().take_while(|later| later.depth >= row.depth);
        if let Some(next) = later.clone().find(|later| later.depth == row.depth) {
            let (one, other) = (lens.see_alone(row.node).unwrap(), lens.see_alone(next.node).unwrap());
            let order = tree.compare(view.settings.sort, (row.node, &one), (next.node, &other));
            assert!(if view.settings.reversed { order.is_ge() } else { order.is_le() }, "siblings are in order");
        }
    }
    view.rebuild(tree);
    while view.is_pending() {
        view.proceed(tree);
    }
    assert_eq!(view.rows(), rows, "rows changed in place equal rebuilt ones");
    assert_eq!(view.selected_row().map(|row| row.node), path, "and the selection stays");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_pressed_the_rows_are_right_and_the_screen_can_be_drawn(
        layers in layers(),
        keys in keys(),
        width in 1u16..150,
        height in 1u16..50,
        clicks in proptest::collection::vec((0u16..150, 0u16..50), 0..4),
    ) {
        let lines: Vec<Vec<&str>> = layers.iter().map(|layer| layer.iter().map(String::as_str).collect()).collect();
        let slices: Vec<&[&str]> = lines.iter().map(Vec::as_slice).collect();
        let commands = vec!["make"; slices.len()];
        let image = samples::image(samples::tree(&slices), &commands);
        let opened = Opened { image: Arc::new(image), overview: Default::default() };
        let mut person = Person::seeing(opened, (width, height));
        for key in keys {
            person.takes(Message::Key(key));
            check(&mut person);
        }
        for (column, row) in clicks {
            for action in [MouseAction::Press, MouseAction::Drag, MouseAction::WheelDown, MouseAction::WheelUp, MouseAction::Release] {
                person.takes(Message::Mouse(Mouse { action, column, row }));
            }
            check(&mut person);
        }
        person.screen();
    }
}
