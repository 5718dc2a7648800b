use std::io::Write;

use proptest::prelude::*;

use super::*;
use crate::{Sha256Hash, StoreHash, StorePath};

const OLD: &str = "hmnypiai2d9q9ri3yd4kdycjp1rg1027";
const NEW: &str = "gb2xyah4glff302brys92gn99xv4gjvr";

fn hash(text: &str) -> StoreHash {
    StoreHash::new(text.as_bytes()).unwrap()
}

fn write_in_blocks(out: &mut dyn Write, text: &[u8], sizes: &[usize]) {
    let mut rest = text;
    for &size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (block, after) = rest.split_at(size.min(rest.len()));
        out.write_all(block).unwrap();
        rest = after;
    }
}

#[test]
fn a_printed_store_path_is_replaced_and_a_bare_hash_is_not() {
    let path = StorePath::parse_base_name(format!("{OLD}-glibc-2.36").as_bytes()).unwrap();
    let mut rewriter = StorePathRewriter::new(Vec::new(), [(path, hash(NEW))]);
    let text =
        format!("/nix/store/{OLD}-glibc-2.36/lib {OLD} /nix/store/{OLD}-glibc-2.3 /nix/store/{OLD}-glibc-2.36-bin");
    rewriter.write_all(text.as_bytes()).unwrap();
    let expected =
        format!("/nix/store/{NEW}-glibc-2.36/lib {OLD} /nix/store/{OLD}-glibc-2.3 /nix/store/{NEW}-glibc-2.36-bin");
    assert_eq!(String::from_utf8(rewriter.finish().unwrap()).unwrap(), expected);
}

#[test]
fn a_hash_modulo_counts_places_and_not_the_hash_itself() {
    let modulo = |text: &str, own: &str| {
        let mut sink = HashModulo::new(&hash(own));
        sink.write_all(text.as_bytes()).unwrap();
        sink.finish().unwrap()
    };
    let old = modulo(&format!("a {OLD} b"), OLD);
    assert_eq!(old, modulo(&format!("a {NEW} b"), NEW));
    assert_eq!(old.0, Sha256Hash::of(format!("a {} b|2", "\0".repeat(32)).as_bytes()));
    assert_ne!(old, modulo(&format!("ab {OLD} "), OLD));
    assert_eq!(modulo("ab", OLD), (Sha256Hash::of(b"ab"), false));
}

proptest! {
    #[test]
    fn blocks_of_any_sizes_give_what_one_block_gives(
        pieces in proptest::collection::vec(prop_oneof![
            Just(format!("/nix/store/{OLD}-glibc")),
            Just(format!("/nix/store/{OLD}-glib")),
            Just(OLD.to_owned()),
            "[a-z/]{0,30}",
            Just("/nix/store/".to_owned()),
        ], 0..10),
        sizes in proptest::collection::vec(1usize..60, 1..6),
    ) {
        let text = pieces.concat();
        let path = StorePath::parse_base_name(format!("{OLD}-glibc").as_bytes()).unwrap();
        let mut paths = StorePathRewriter::new(Vec::new(), [(path, hash(NEW))]);
        write_in_blocks(&mut paths, text.as_bytes(), &sizes);
        let replaced = text.replace(&format!("/nix/store/{OLD}-glibc"), &format!("/nix/store/{NEW}-glibc"));
        prop_assert_eq!(String::from_utf8(paths.finish().unwrap()).unwrap(), replaced);

        let mut hashes = HashRewriter::new(Vec::new(), &hash(OLD), *hash(NEW).as_bytes());
        write_in_blocks(&mut hashes, text.as_bytes(), &sizes);
        let (bytes, matches) = hashes.finish().unwrap();
        prop_assert_eq!(String::from_utf8(bytes).unwrap(), text.replace(OLD, NEW));
        let places: Vec<u64> = text.match_indices(OLD).map(|(place, _)| place as u64).collect();
        prop_assert_eq!(matches, places);
    }
}
