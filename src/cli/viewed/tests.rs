use std::io::Write as _;

use super::*;
use crate::cli::samples;
use nixdive_image::reference::Reference;
use nixdive_image::testing::archive::{Written, docker_archive, seal, tar_of};
use nixdive_image::{Kind, LayerIndex, OccurrenceId};
use nixdive_preview::{Place, RowContent, Sign, Spot, Toward};
use nixdive_source::open::{Keep, OpenOptions, Opened, Progress, open_embedded};
use nixdive_tui::Subject;

fn sample() -> Opened {
    let reference = Reference::parse(samples::EMBEDDED.as_ref()).unwrap();
    let options = OpenOptions { keep: Keep::AnyContent, ..OpenOptions::default() };
    open_embedded(samples::embedded(&reference).unwrap(), "sample", &options, &Progress::new()).unwrap()
}

/// An image of layers with these files.
fn image(layers: &[&[(&str, &[u8])]]) -> Opened {
    let layers: Vec<Vec<u8>> = layers
        .iter()
        .map(|files| tar_of(&files.iter().map(|(path, content)| Written::file(path, content)).collect::<Vec<_>>()))
        .collect();
    let options = OpenOptions { keep: Keep::AnyContent, ..OpenOptions::default() };
    open_embedded(docker_archive(&layers).leak(), "made", &options, &Progress::new()).unwrap()
}

fn request(image: &Image, path: &[u8], form: Form, place: Place) -> ViewRequest {
    let layer = image.tree.top_layer().unwrap_or(LayerIndex(0));
    let node = image.tree.lookup(path).expect("it is there");
    let file = |id: &OccurrenceId| image.tree.occurrence(*id).kind != Kind::Whiteout;
    let entry = image.tree.occurrences_of(node).find(file);
    let removed = entry != image.tree.occurrences_of(node).next();
    let target = Target::Path(Subject { node, layer, entry, removed });
    ViewRequest { ticket: Ticket(1), target, form, place, by: 0, wrap: false, find: None, height: 10, width: 80 }
}

fn viewed(opened: &Opened, request: &ViewRequest) -> Viewed {
    Viewed::open(&[(&opened.image, &opened.contents)], request, &Arc::new(Syntaxes::new()), &Cancel::new())
}

fn view(opened: &Opened, request: &ViewRequest) -> View {
    let mut viewed = viewed(opened, request);
    loop {
        let view = viewed.rows(request);
        if !view.pending {
            return view;
        }
    }
}

/// The rows as text, the halves with a sign between them.
fn texts(view: &View) -> Vec<String> {
    let text = |content: &RowContent| match content {
        RowContent::Line(line) => line.line.text(),
        RowContent::Halves { sign, before, after } => {
            let half = |half: &Option<(u64, nixdive_preview::FoundLine)>| {
                half.as_ref().map_or("none".to_owned(), |(number, line)| format!("{number} {}", line.line.text()))
            };
            let sign = match sign {
                Sign::Same => "=",
                Sign::Removed => "-",
                Sign::Added => "+",
                Sign::Changed => "~",
            };
            format!("{} {sign} {}", half(before), half(after))
        }
    };
    view.rows.iter().map(|row| text(&row.content)).collect()
}

#[test]
fn every_path_of_the_sample_shows_something_or_says_why_not() {
    let opened = sample();
    let spot = Spot { at: u64::MAX, part: u64::MAX };
    for node in opened.image.tree.node_ids() {
        let path = opened.image.tree.path(node);
        for form in [Form::Content, Form::Bytes, Form::Unified, Form::SideBySide] {
            for place in [Place::Start, Place::End, Place::Byte(7), Place::At(spot)] {
                let view = view(&opened, &request(&opened.image, &path, form, place));
                let text: String = texts(&view).concat();
                assert!(!text.chars().any(char::is_control), "{text:?}");
                let shown = !view.rows.is_empty() || view.problem.is_some() || view.kind == "empty";
                assert!(shown, "{} {form:?} {place:?}", path.escape_ascii());
            }
        }
    }
}

#[test]
fn bytes_are_shown_from_the_first_to_the_last() {
    let opened = sample();
    let tree = &opened.image.tree;
    let file = |id: &OccurrenceId| tree.occurrence(*id).kind == Kind::File && tree.occurrence(*id).bytes > 1000;
    let entry = tree.node_ids().filter_map(|node| tree.occurrences_of(node).find(file)).next().unwrap();
    let path = tree.path(tree.occurrence(entry).node());
    let content = opened.contents.random_access(tree, entry).unwrap();
    let mut start = [0; 2];
    content.read_full_at(&mut start, 0).unwrap();
    let bytes = view(&opened, &request(&opened.image, &path, Form::Bytes, Place::Start));
    let expected = format!("00000000  {:02x} {:02x}", start[0], start[1]);
    assert!(texts(&bytes)[0].starts_with(&expected), "{:?}", texts(&bytes));
    let end = view(&opened, &request(&opened.image, &path, Form::Bytes, Place::End));
    assert!(end.ends && end.rows.len() - end.top == 10);
}

const VERSIONS: &[&[(&str, &[u8])]] = &[
    &[
        ("a.conf", b"listen 80\nroot /srv\nuser www\n"),
        ("tool", b"\x7f\0one more"),
        ("gone", b"a\nb\n"),
        ("same", b"x"),
    ],
    &[("a.conf", b"listen 8080\nroot /srv\nuser www\nlog on\n"), ("tool", b"\x7f\0two more"), ("same", b"x")],
    &[("new", b"first\n"), (".wh.gone", b"")],
];

#[test]
fn two_versions_stand_next_to_each_other() {
    let opened = image(VERSIONS);
    let shown = view(&opened, &request(&opened.image, b"/a.conf", Form::SideBySide, Place::Start));
    assert_eq!(
        texts(&shown),
        ["0 listen 80 ~ 0 listen 8080", "1 root /srv = 1 root /srv", "2 user www = 2 user www", "none + 3 log on",]
    );
    assert_eq!(shown.halves, Some(("layer 0".into(), "layer 1".into())));
    assert_eq!(shown.kind, "layer 0 to layer 1, -1 +2");
    let unified = view(&opened, &request(&opened.image, b"/a.conf", Form::Unified, Place::Start));
    assert_eq!(
        texts(&unified),
        ["@@ -1,3 +1,4 @@", "-listen 80", "+listen 8080", " root /srv", " user www", "+log on"]
    );
}

#[test]
fn what_is_new_or_gone_differs_from_nothing() {
    let opened = image(VERSIONS);
    let new = view(&opened, &request(&opened.image, b"/new", Form::SideBySide, Place::Start));
    assert_eq!((texts(&new), new.kind.as_str()), (vec!["none + 0 first".to_owned()], "new in layer 2, -0 +1"));
    let gone = view(&opened, &request(&opened.image, b"/gone", Form::SideBySide, Place::Start));
    assert_eq!(texts(&gone), ["0 a - none", "1 b - none"]);
    assert_eq!(gone.halves, Some(("layer 0".into(), "removed".into())));
    let same = view(&opened, &request(&opened.image, b"/same", Form::Unified, Place::Start));
    assert_eq!(texts(&same), ["the same 1 B in both"]);
}

#[test]
fn versions_that_are_no_text_differ_by_rows_of_bytes() {
    let opened = image(VERSIONS);
    let unified = view(&opened, &request(&opened.image, b"/tool", Form::Unified, Place::Start));
    assert_eq!(unified.kind, "layer 0 to layer 1, not text: 10 B and 10 B, 3 bytes differ");
    let texts_of = |view: &View| texts(view).iter().map(|text| text.trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(
        texts_of(&unified),
        [
            "-00000000  7f 00 6f 6e 65 20 6d 6f  72 65                    ..one more",
            "+00000000  7f 00 74 77 6f 20 6d 6f  72 65                    ..two more",
        ]
    );
    let sides = view(&opened, &request(&opened.image, b"/tool", Form::SideBySide, Place::Start));
    assert_eq!(
        texts_of(&sides),
        ["0 00000000  7f 00 6f 6e 65 20 6d 6f  ..one mo ~ 0 00000000  7f 00 74 77 6f 20 6d 6f  ..two mo"]
    );
}

fn find(request: ViewRequest, text: &str, place: Place) -> ViewRequest {
    ViewRequest { find: Some(FindRequest { text: text.into(), current: None }), place, ..request }
}

#[test]
fn hits_are_found_in_every_form() {
    let opened = image(VERSIONS);
    let here = Place::Hit { from: Hit::default(), toward: Toward::Here };
    for (path, form, text, count) in [
        (&b"/a.conf"[..], Form::Content, "LISTEN", 0),
        (b"/a.conf", Form::Content, "listen", 1),
        (b"/a.conf", Form::Content, "re:[a-z]+ /srv", 1),
        (b"/a.conf", Form::Bytes, "6c6f67", 1),
        (b"/a.conf", Form::Unified, "listen", 2),
        (b"/a.conf", Form::SideBySide, "root", 2),
        (b"/tool", Form::Content, "more", 1),
        (b"/", Form::Content, "conf", 1),
    ] {
        let found = view(&opened, &find(request(&opened.image, path, form, here), text, here)).find.unwrap();
        assert_eq!((found.count, found.counted), (count, true), "{text} in {}", path.escape_ascii());
        assert_eq!((found.nothing, found.current.is_some()), (count == 0, count > 0), "{text}");
        assert_eq!(found.index, (count > 0).then_some(0), "{text}");
    }
    let broken = view(&opened, &find(request(&opened.image, b"/a.conf", Form::Content, here), "re:(", here));
    assert!(broken.find.unwrap().problem.is_some() && !broken.rows.is_empty());
}

/// A tar archive on disk whose one file has a gigabyte of which next to nothing is stored.
fn sparse_gigabyte() -> tempfile::NamedTempFile {
    use std::io::{Seek as _, SeekFrom};
    const BYTES: u64 = 1 << 30;
    let header = |name: &str, bytes: u64| {
        let mut block: [u8; 512] = tar_of(&[Written::file(name, b"")])[..512].try_into().unwrap();
        block[124..136].copy_from_slice(format!("{bytes:011o}\0").as_bytes());
        seal(&mut block);
        block
    };
    let config = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:0000000000000000000000000000000000000000000000000000000000000000"]}}"#;
    let manifest = br#"[{"Config":"config.json","RepoTags":["big:latest"],"Layers":["layer.tar"]}]"#;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let start = tar_of(&[Written::file("manifest.json", manifest), Written::file("config.json", config)]);
    file.write_all(&start[..start.len() - 1024]).unwrap();
    file.write_all(&header("layer.tar", 512 + BYTES + 1024)).unwrap();
    file.write_all(&header("log.txt", BYTES)).unwrap();
    file.write_all(&b"a line of the log\n".repeat(1 << 14)).unwrap();
    file.seek(SeekFrom::Start(start.len() as u64 - 1024 + 1024 + BYTES - 40)).unwrap();
    file.write_all(b"\nthe last line but one\nthe last line...\n").unwrap();
    file.write_all(&[0; 2048]).unwrap();
    file
}

#[test]
fn a_file_of_a_gigabyte_opens_at_once_and_so_does_its_end() {
    use std::time::Instant;
    let file = sparse_gigabyte();
    let reference = Reference::parse(file.path().as_os_str()).unwrap();
    let opened = nixdive_source::open::open(&reference, &OpenOptions::default(), &Progress::new()).unwrap();
    let wanted = request(&opened.image, b"/log.txt", Form::Content, Place::Start);
    let start = Instant::now();
    let mut viewed = viewed(&opened, &wanted);
    let first = viewed.rows(&wanted);
    let opening = start.elapsed();
    assert_eq!(texts(&first)[0], "a line of the log");
    assert_eq!(first.total, None, "the end has not been read");
    let wanted = ViewRequest { place: Place::End, ..wanted };
    let start = Instant::now();
    let end = viewed.rows(&wanted);
    let ending = start.elapsed();
    assert_eq!(texts(&end).last().map(String::as_str), Some("the last line..."));
    println!("1 GB: the first screen in {opening:?}, the last in {ending:?}");
    // Reading all of it would take longer, on any machine; a debug build that shares one has ample time.
    assert!(opening.as_millis() < 500 && ending.as_millis() < 500, "{opening:?} {ending:?}");
}

#[test]
fn a_layer_that_turns_out_corrupt_is_named_with_the_place() {
    use flate2::{Compression, write::GzEncoder};
    // Lines that no two have in common, so that they fill many blocks.
    let lines: String =
        (0u64..400_000).map(|number| format!("{:x}\n", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let layer = tar_of(&[Written::file("log.txt", lines.as_bytes()), Written::file("b", b"fine\n")]);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&layer).unwrap();
    let mut archive = docker_archive(&[packed.finish().unwrap(), tar_of(&[Written::file("c", b"fine too\n")])]);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&archive).unwrap();
    let reference = Reference::parse(file.path().as_os_str()).unwrap();
    let opened = nixdive_source::open::open(&reference, &OpenOptions::default(), &Progress::new()).unwrap();
    let middle = archive.len() / 2;
    archive[middle..middle + 64].fill(0xff);
    std::fs::write(file.path(), &archive).unwrap();
    let start = view(&opened, &request(&opened.image, b"/log.txt", Form::Content, Place::Start));
    assert!(start.problem.is_none() && texts(&start)[1] == "9e3779b97f4a7c15", "what comes before it is shown");
    let end = view(&opened, &request(&opened.image, b"/log.txt", Form::Content, Place::End));
    let problem = end.problem.expect("the end cannot be read");
    assert!(problem.starts_with("layer 0: ") && problem.contains(" byte"), "{problem}");
    let bytes = view(&opened, &request(&opened.image, b"/log.txt", Form::Bytes, Place::End));
    assert!(bytes.problem.expect("nor as bytes").starts_with("layer 0: "));
    let here = Place::Hit { from: Hit::default(), toward: Toward::Here };
    let found = view(&opened, &find(request(&opened.image, b"/log.txt", Form::Content, here), "nowhere", here));
    assert!(found.find.unwrap().problem.is_some(), "not everything was looked through");
    let other = view(&opened, &request(&opened.image, b"/c", Form::Content, Place::Start));
    assert_eq!((texts(&other), other.problem), (vec!["fine too".to_owned()], None));
}

#[test]
fn versions_of_two_images_are_held_against_each_other() {
    let left = image(&[&[("etc/a", b"same\nold\n"), ("etc/gone", b"gone\n")]]);
    let right = image(&[&[("base", b"b")], &[("etc/a", b"same\nnew\n"), ("etc/data", b"\x00\x01")]]);
    let subject = |opened: &Opened, path: &[u8]| match request(&opened.image, path, Form::Content, Place::Start).target
    {
        Target::Path(subject) => subject,
        Target::Versions { .. } => panic!("of one image"),
    };
    let shown = |left_path: Option<&[u8]>, right_path: Option<&[u8]>, form| {
        let target = Target::Versions {
            left: left_path.map(|path| (0, subject(&left, path))),
            right: right_path.map(|path| (1, subject(&right, path))),
        };
        let request = ViewRequest { target, ..request(&left.image, b"/etc/a", form, Place::Start) };
        let images = [(&left.image, &left.contents), (&right.image, &right.contents)];
        Viewed::open(&images, &request, &Arc::new(Syntaxes::new()), &Cancel::new()).rows(&request)
    };
    let both = shown(Some(b"/etc/a"), Some(b"/etc/a"), Form::SideBySide);
    assert_eq!(texts(&both), ["0 same = 0 same", "1 old ~ 1 new"]);
    assert_eq!(both.halves, Some(("left image, layer 0".into(), "right image, layer 1".into())));
    assert_eq!(both.kind, "left to right, -1 +1");
    let gone = shown(Some(b"/etc/gone"), None, Form::SideBySide);
    assert_eq!(gone.halves.unwrap().1, "not in the right image");
    // Without a form for two, the newer version is shown, or the older one if there is no newer one.
    assert_eq!(texts(&shown(Some(b"/etc/gone"), None, Form::Content)), ["gone"]);
    assert_eq!(texts(&shown(Some(b"/etc/a"), Some(b"/etc/a"), Form::Content)), ["same", "new"]);
    assert!(shown(None, Some(b"/etc"), Form::Unified).problem.is_some(), "a directory has no versions");
}
