//! The README's pictures: journeys through the images of `sample-images/` and the built-in one, opened and answered as
//! the program does. `NIXDIVE_UPDATE=1 cargo test --lib screenshots` redraws them.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};

use super::{ComparingArguments, OpenArguments, Opener};
use nixdive_image::reference::Reference;
use nixdive_tui::testing::{Person, svg};
use nixdive_tui::{Message, Opening, Start};

const SIZE: (u16, u16) = (110, 30);
const PATIENCE: Duration = Duration::from_secs(120);
const DOCKER: &str = "sample-images/lighttpd-docker.tar.zst";
const NIX: &str = "sample-images/lighttpd-nix.tar.gz";
/// Images with a space between them are compared.
const BOTH: &str = "sample-images/lighttpd-docker.tar.zst sample-images/lighttpd-nix.tar.gz";
const EMBEDDED: &str = "embedded:sample";

/// (name, title, image, keys; a word in quotes is typed)
const SCREENS: &[(&str, &str, &str, &str)] = &[
    ("files", "Layers and files of an image built from a Dockerfile", DOCKER, "j j j j j tab enter j j enter"),
    ("image", "Configuration, and the Dockerfile put back together", DOCKER, "2 G"),
    ("waste", "What is wasted, why, and what would save it", DOCKER, "3 j"),
    ("packages", "Packages of the image", DOCKER, "4 j"),
    ("map", "A map of what is large", DOCKER, "5 j"),
    ("preview", "A script within the image", DOCKER, "f \"init.d/lighttpd\" enter p"),
    ("hits", "Where files mention a name", DOCKER, "ctrl-s \"www-data\" enter j j"),
    ("nix", "An image built with Nix", NIX, "j j j j j j j j j tab j j j enter"),
    ("store", "The Nix store: what each path costs, and why it is there", NIX, "6 j l"),
    ("findings", "What is wrong, where, and what to do", DOCKER, "7 enter j"),
    ("rebuild", "A plan to rebuild it smaller: what goes, what stays, and why", DOCKER, "8 j j j"),
    ("compare", "Why the image of Nix is smaller than that of a Dockerfile", BOTH, "2"),
    ("differences", "The files of both images, next to each other", BOTH, "j j j l"),
    ("sample", "The image within the program", EMBEDDED, "tab L"),
];

fn parsed(image: &str) -> Reference {
    Reference::parse(image.as_ref()).unwrap()
}

/// A person at the program itself: images are opened and questions answered on threads, as in a terminal.
struct Live {
    person: Person,
    opener: Opener,
    messages: Receiver<Message>,
}

impl Live {
    fn opens(image: &str) -> Self {
        let (sender, messages) = unbounded();
        let mut opener = Opener::new(OpenArguments::default(), sender);
        let start = match image.split_once(' ') {
            Some(_) => {
                let names: Vec<String> = image.split(' ').map(str::to_owned).collect();
                let how = ComparingArguments { semantic: false, equivalent: false, different_platforms: false };
                opener.start_together(Opening::FIRST, names.iter().map(|name| parsed(name)).collect(), &how);
                Start::Comparing { names, options: how.options() }
            }
            None => {
                opener.start(Opening::FIRST, parsed(image));
                Start::Loading(image.into())
            }
        };
        let mut live = Self { person: Person::starting(start, SIZE), opener, messages };
        live.settles();
        live
    }

    /// Presses keys, each after all that the one before it asked for has come.
    fn presses(&mut self, keys: &str) {
        for word in keys.split_whitespace() {
            match word.strip_prefix('"').and_then(|word| word.strip_suffix('"')) {
                Some(text) => self.person.types(text),
                None => self.person.presses(word),
            };
            self.settles();
        }
    }

    fn settles(&mut self) {
        loop {
            for effect in self.person.effects.drain(..) {
                self.opener.perform(effect);
            }
            if self.person.is_settled() {
                return;
            }
            let message = self.messages.recv_timeout(PATIENCE).expect("what was asked for comes");
            self.person.takes(message);
        }
    }
}

#[test]
fn screenshots_are_what_the_program_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = root.join("assets/screenshots");
    // Published crates have neither the images nor the pictures.
    if !root.join(DOCKER).exists() {
        assert!(std::env::var_os("NIXDIVE_LIVE").is_none(), "{DOCKER} is missing");
        return println!("skipped: {DOCKER} is missing");
    }
    let update = std::env::var_os("NIXDIVE_UPDATE").is_some();
    let mut stale = Vec::new();
    for (name, title, image, keys) in SCREENS {
        let mut live = Live::opens(image);
        live.presses(keys);
        let (file, shown) = (directory.join(name).with_extension("svg"), svg(title, &live.person.screen()));
        let is_stale = std::fs::read_to_string(&file).ok().as_ref() != Some(&shown);
        if is_stale && update {
            std::fs::write(&file, shown).unwrap();
        } else if is_stale {
            stale.push(*name);
        }
    }
    assert!(stale.is_empty(), "{stale:?}: renew them with NIXDIVE_UPDATE=1 cargo test --lib screenshots");
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    // Browser pictures are in the same directory.
    let drawn = |name: &String| !name.ends_with(".png");
    let there: BTreeSet<String> = directory.read_dir().unwrap().map(name).filter(drawn).collect();
    let expected: BTreeSet<String> = SCREENS.iter().map(|(name, ..)| format!("{name}.svg")).collect();
    assert_eq!(there, expected, "only what the journeys draw lies there");
}
