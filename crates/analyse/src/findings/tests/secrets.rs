use super::*;
use nixdive_image::HistoryEntry;

const BODY: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
const AWS: &str = "AKIAQ3EGRL2NDOW5ZKPT";
const PASSWORD: &str = "correct-horse-battery";

fn key() -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{BODY}\n-----END PRIVATE KEY-----\n")
}

fn configured(configure: fn(&mut Image)) -> Made {
    one(vec![file("a", "a")]).configured(configure)
}

fn step(command: &str) -> HistoryEntry {
    HistoryEntry { created_by: Some(command.to_owned()), empty_layer: true, ..HistoryEntry::default() }
}

/// A file of a package of Alpine's.
fn packaged(content: &str) -> Vec<Written> {
    vec![file("lib/apk/db/installed", "P:a\nV:1\nF:usr/lib\nR:a.py\n\n"), file("usr/lib/a.py", content)]
}

const STORE: &str = "nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-settings";

pub fn cases() -> Vec<Case> {
    let text = |path: &str, content: &str| one(vec![file(path, content)]);
    vec![
        case(Rule::PrivateKey, text("etc/ssh/host_key", &key()), text("usr/lib/x/tests/host_key", &key())),
        case(
            Rule::PrivateKey,
            text("srv/id", &key()),
            text("srv/parser.py", "if line == '-----BEGIN PRIVATE KEY-----':\n    return None\n"),
        ),
        case(
            Rule::Token,
            layers(vec![packaged("id = none"), vec![file("usr/lib/a.py", &format!("id = '{AWS}'\n"))]]),
            layers(vec![packaged(&format!("id = '{AWS}'\n"))]),
        ),
        case(
            Rule::Token,
            text("srv/a.cfg", &format!("id = {AWS}\n")),
            text("srv/a.cfg", "id = AKIAIOSFODNN7EXAMPLE\n"),
        ),
        case(
            Rule::Password,
            text("etc/shadow", "root:$6$abcdefgh$0123456789abcdefghij:19000::::::\n"),
            text("etc/shadow", "root:*:19000:0:99999:7:::\n"),
        ),
        case(
            Rule::Password,
            text("srv/.env", &format!("DB_PASSWORD={PASSWORD}\n")),
            text("srv/.env", "DB_PASSWORD=changeme\nDB_PASSWORD_FILE=/run/secrets/db\nTOKENS=5\n"),
        ),
        case(
            Rule::SecretInEnvironment,
            configured(|image| image.config.env = vec![format!("DB_PASSWORD={PASSWORD}")]),
            configured(|image| {
                image.config.env =
                    vec!["GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D".into(), "PASSWORD=$X".into()];
            }),
        ),
        case(
            Rule::SecretInLabel,
            configured(|image| image.config.labels = vec![("a.token".into(), PASSWORD.into())]),
            configured(|image| image.config.labels = vec![("a.title".into(), PASSWORD.into())]),
        ),
        case(
            Rule::SecretInHistory,
            configured(|image| image.config.history = vec![step(&format!("ARG API_KEY={PASSWORD}"))]),
            configured(|image| image.config.history = vec![step("RUN --mount=type=secret,id=token make")]),
        ),
        case(
            Rule::SecretInStore,
            one(vec![Written::directory(STORE), file(&format!("{STORE}/key.pem"), &key())]),
            one(vec![Written::directory(STORE), file(&format!("{STORE}/share/doc/key.pem"), &key())]),
        ),
    ]
}

#[test]
fn a_secret_in_a_layer_that_a_later_one_hides_is_found_with_its_place() {
    let whiteout = file("srv/.wh.id", "");
    let judged = layers(vec![vec![file("srv/id", &format!("x\n{}", key()))], vec![whiteout]]).judge();
    let finding = judged.of(Rule::PrivateKey).unwrap();
    let Location::Path { layer, offset, .. } = finding.evidence[0].location else { panic!("no path") };
    assert_eq!((layer, offset), (Some(LayerIndex(0)), Some(2)));
    assert!(finding.evidence[0].note.as_deref().unwrap().contains("in a layer below"));
}

proptest::proptest! {
    /// Whatever a text is, what is found lies within it, in order and apart, and is gone after it was taken out.
    #[test]
    fn any_text_is_searched_and_redacted(
        parts in proptest::collection::vec(proptest::prop_oneof![
            proptest::strategy::Just(AWS.to_owned()),
            proptest::strategy::Just(key()),
            proptest::strategy::Just(format!("DB_PASSWORD={PASSWORD} ")),
            proptest::strategy::Just(format!("https://u:{PASSWORD}@h ")),
            ".{0,30}",
        ], 0..8),
    ) {
        let text = parts.concat();
        let scanner = crate::findings::secrets::SecretScanner::new();
        let found = scanner.in_command(&text);
        let mut end = 0;
        for secret in &found {
            proptest::prop_assert!(secret.range.start >= end && secret.range.end <= text.len());
            end = secret.range.end;
        }
        let _ = (scanner.in_file(b"/srv/.env", text.as_bytes()), scanner.in_variable(&text));
    }
}
