//! Compares closures built by a real Nix and checks the result against its own `nix store
//! diff-closures`.

use std::path::Path;
use std::process::Command;

use super::diff_closures;
use crate::testing::Known;
use nixdive_nix::live::build;
use nixdive_nix::live::{Lab, lab};

/// Versions that change, come, go and stay; several versions and outputs of one name; sizes that change little and much.
const CLOSURES: [&str; 2] = [
    r#"
  sized = name: bytes: derive name "head -c ${toString bytes} /dev/zero >$out";
  all = [
    (sized "stays-1.0" 100000) (sized "grows-1.0" 1000) (sized "little-1.0" 1000) (sized "newer-1.0" 5000)
    (sized "gone-2" 20000) (sized "several-1.0" 10) (sized "several-2.0" 10) (sized "several-1.0-dev" 30)
    (sized "plain" 10) (sized "word-root" 10) (sized "quarter-1" 8448)
  ];
in derive "top" "mkdir $out; for p in ${toString all}; do ln -s $p $out/; done""#,
    r#"
  sized = name: bytes: derive name "head -c ${toString bytes} /dev/zero >$out";
  all = [
    (sized "stays-1.0" 100000) (sized "grows-1.0" 100000) (sized "little-1.0" 1600) (sized "newer-1.1pre" 50000)
    (sized "come" 30000) (sized "several-2.0" 10) (sized "several-3.0-lib" 10) (sized "several-3.0-man" 90000)
    (sized "plain-2" 10) (sized "word-stem" 10) (sized "quarter-1" 16896)
  ];
in derive "top" "mkdir $out; for p in ${toString all}; do ln -s $p $out/; done""#,
];

/// An image whose root directory is a closure and nothing else.
fn image(lab: &Lab, top: &str, name: &str) -> Known {
    let root = lab.path().join(name);
    let store = root.join("nix/store");
    std::fs::create_dir_all(&store).unwrap();
    for path in lab.run("nix-store", &["-qR", top]).lines() {
        let from = lab.path().join("root").join(path.trim_start_matches('/'));
        assert!(Command::new("cp").arg("-a").arg(&from).arg(&store).status().unwrap().success());
    }
    Known::of_file(Path::new(&format!("rootfs:{}", root.display())))
}

#[test]
fn lines_are_those_of_nix_store_diff_closures() {
    let Some(lab) = lab("lines_are_those_of_nix_store_diff_closures") else { return };
    let tops = CLOSURES.map(|expression| build(&lab, expression));
    let [left, right] = [(0, "left"), (1, "right")].map(|(place, name)| image(&lab, &tops[place], name));
    for ((from, to), (before, after)) in
        [((0, 1), (&left, &right)), ((1, 0), (&right, &left)), ((0, 0), (&left, &left))]
    {
        let printed = lab.run("nix", &["store", "diff-closures", &tops[from], &tops[to]]);
        let plain: String = printed
            .split('\u{1b}')
            .enumerate()
            .map(|(place, part)| if place == 0 { part } else { part.split_once('m').unwrap().1 })
            .collect();
        let lines = diff_closures(before.store.as_ref(), after.store.as_ref());
        assert_eq!(lines, plain.lines().collect::<Vec<_>>());
        assert_eq!(lines.is_empty(), from == to);
    }
    std::fs::remove_dir_all(lab.path().join("left")).ok();
}
