use std::process::Command;

use proptest::prelude::*;

use super::program;
use crate::{Section, summarise_elf};
use nixdive_base::text::steers_terminal;

#[test]
fn the_running_program_is_summarised_as_readelf_does() {
    let Some(readelf) = program("readelf") else { return };
    let files = [std::env::current_exe().unwrap(), "/bin/ls".into(), "/bin/sh".into()];
    for file in files.iter().filter(|file| file.exists()) {
        let run = |flag: &str| {
            let output = Command::new(&readelf).args([flag, "--wide"]).arg(file).env("LC_ALL", "C").output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let summary = summarise_elf(&Section::from_bytes(std::fs::read(file).unwrap())).unwrap();
        let dynamic = run("--dynamic");
        let named = |tag: &str| -> Vec<Vec<u8>> {
            let lines = dynamic.lines().filter(|line| line.contains(tag));
            lines.map(|line| line.split(['[', ']']).nth(1).unwrap().as_bytes().to_vec()).collect()
        };
        assert_eq!(summary.needed, named("(NEEDED)"), "{}", file.display());
        assert_eq!(summary.runpath, named("(RUNPATH)").pop());
        assert_eq!(summary.rpath, named("(RPATH)").pop());
        let notes = run("--notes");
        let build_id = notes.split("Build ID: ").nth(1).and_then(|rest| rest.split_whitespace().next());
        assert_eq!(summary.build_id.as_deref(), build_id);
        let segments = run("--segments");
        let interpreter =
            segments.lines().find_map(|line| line.trim().strip_prefix("[Requesting program interpreter: "));
        assert_eq!(summary.interpreter.as_deref(), interpreter.map(|line| line.trim_end_matches(']').as_bytes()));
        assert_eq!(summary.stripped, !run("--sections").contains(" SYMTAB "));
        assert_eq!(summary.problems, [""; 0]);
        assert!(summary.sections.is_sorted_by_key(|(_, bytes)| std::cmp::Reverse(*bytes)));
        assert!(summary.sections.iter().any(|(name, _)| name == b".text"));
        assert_eq!(summary.file_type, "executable, position independent");
    }
}

#[test]
fn a_cut_off_program_is_summarised_as_far_as_it_is_there() {
    let whole = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let summary = summarise_elf(&Section::from_bytes(whole[..whole.len() / 2].to_vec())).unwrap();
    assert!(!summary.problems.is_empty());
    assert!(summarise_elf(&Section::from_bytes(b"\x7fELF".to_vec())).is_err());
}

proptest! {
    #[test]
    fn lies_in_headers_do_no_harm(
        changes in proptest::collection::vec((0usize..4096, any::<u8>()), 0..40),
        length in 0usize..4096,
    ) {
        let mut bytes = vec![0; 4096];
        let exe = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        std::os::unix::fs::FileExt::read_exact_at(&exe, &mut bytes, 0).unwrap();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.truncate(length);
        if let Ok(summary) = summarise_elf(&Section::from_bytes(bytes)) {
            for line in summary.lines() {
                prop_assert!(!line.text().chars().any(steers_terminal));
            }
        }
    }

    #[test]
    fn any_bytes_behind_the_magic_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300), class in 1u8..3) {
        let mut file = vec![0x7f, b'E', b'L', b'F', class, 1];
        file.extend(bytes);
        let _ = summarise_elf(&Section::from_bytes(file)).map(|summary| summary.lines());
    }
}
