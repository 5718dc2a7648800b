use proptest::prelude::*;

use super::{Script, read};

fn script(text: &str) -> Script {
    read(text.as_bytes(), &[(b"HOME".to_vec(), b"/root".to_vec())])
}

fn commands(text: &str) -> Vec<String> {
    script(text).commands.into_iter().map(|name| String::from_utf8(name).unwrap()).collect()
}

#[test]
fn commands_are_found_wherever_they_stand() {
    let cases: [(&str, &[&str]); 22] = [
        ("mkdir -p /x; chown a:b /x && ls | sort", &["mkdir", "chown", "ls", "sort"]),
        ("x=$(date +%s)\ny=`uname -r`", &["date", "uname"]),
        ("if grep -q a b; then cat c; elif id; then :; else sed d; fi", &["grep", "cat", "id", "sed"]),
        ("while read line; do wc -l; done < /etc/passwd", &["wc"]),
        ("for x in a b c; do stat $x; done", &["stat"]),
        (
            "case $1 in\n start) nginx ;;\n stop|quit) pkill nginx;;\n *) exit 1\nesac\ntouch x",
            &["nginx", "pkill", "touch"],
        ),
        ("exec gosu app env A=1 /usr/bin/app --flag", &["gosu", "env", "/usr/bin/app"]),
        ("exec \"$@\"", &[]),
        ("f() { rm x; }\nf\nfunction g { mv a b; }\ng", &["rm", "mv"]),
        ("A=1 B='2 3' prog arg # comment; no", &["prog"]),
        ("cat <<EOF\nnot a command\nEOF\ntail", &["cat", "tail"]),
        ("cat <<-'X' | tr a b\n\tnone\n\tX\nhead", &["cat", "tr", "head"]),
        ("sh -c 'cp a b; df'", &["sh", "cp", "df"]),
        ("find . -name x -exec rmdir {} \\;", &["find", "rmdir"]),
        ("ls | xargs -n1 basename", &["ls", "xargs", "basename"]),
        ("[ -f /x ] || tee y", &["tee"]),
        ("[[ $a == b && -f c ]] && tac", &["tac"]),
        ("(cd /x; du) & jq .", &["du", "jq"]),
        ("trap 'kill 0; sync' EXIT", &["sync"]),
        ("P=/opt/p/bin; $P/run; \"${P}/go\"", &["/opt/p/bin/run", "/opt/p/bin/go"]),
        ("echo \"$(cut -d: -f1 x) \\\" $(awk '{print $1}' y)\"", &["cut", "awk"]),
        ("! comm a b 2>/dev/null >&2 && diff a b", &["comm", "diff"]),
    ];
    for (text, expected) in cases {
        let found = commands(text);
        let (mut found_sorted, mut expected_sorted) = (found.clone(), expected.to_vec());
        found_sorted.sort();
        expected_sorted.sort_unstable();
        assert_eq!(found_sorted, expected_sorted, "{text}");
    }
}

#[test]
fn what_is_read_and_named_is_found() {
    let found = script(". /etc/default/app\nsource \"$HOME/.profile\"\nX=/var/lib/app\necho a > /var/log/app.log");
    assert_eq!(found.sourced, [b"/etc/default/app".to_vec(), b"/root/.profile".to_vec()]);
    assert_eq!(found.paths, [b"/var/lib/app".to_vec(), b"/var/log/app.log".to_vec()]);
}

#[test]
fn uncertainties_are_reported() {
    assert!(script("exec \"$@\"").runs_arguments);
    assert!(script("exec \"$@\"").doubts.is_empty());
    for text in ["eval \"$x\"", "$tool arg", ". \"$dir/x\"", "echo 'open"] {
        assert_eq!(script(text).doubts.len(), 1, "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_comes_to_an_end(text in "[a-z$(){}'\"`;&|<>\\\\ \n#=/*\\[\\]!@-]{0,80}") {
        let found = script(&text);
        prop_assert!(found.commands.iter().all(|name| !name.is_empty()));
    }

    #[test]
    fn any_bytes_come_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes, &[]);
    }
}
