//! Services that are not root's, programs with privileges of their own, and programs that look for themselves.

use serde_json::json;

use crate::debian::{base, can_run, compile, layer_of, layout};
use crate::needed::debian;
use crate::roots::Roots;
use crate::support::program::scratch;
use crate::support::tar_bytes::{Entry, Tar};

/// Says who it is, what it may do, and writes where it may.
const SERVICE: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    char line[200];
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "CapEff", 6)) fputs(line, stdout);
    FILE *data = fopen("/var/lib/service/data", "w");
    printf("%d:%d writes %d\n", geteuid(), getegid(), data && fputs("data", data) >= 0 && !fclose(data));
    printf("over others' files %d %d\n", access("/etc/passwd", W_OK), access("/usr/bin", W_OK));
    struct stat about;
    const char *paths[] = {"/tmp", "/var/lib/service", "/var/lib/service/sub", "/etc/service.key", "/run/service"};
    for (int i = 0; i < 5; i++)
        if (stat(paths[i], &about)) perror(paths[i]);
        else printf("%s %o %d:%d\n", paths[i], about.st_mode, about.st_uid, about.st_gid);
    fflush(stdout);
    int code = system("/usr/local/bin/helper");
    return WEXITSTATUS(code);
}
"#;

const HELPER: &str = r#"
#include <stdio.h>
#include <unistd.h>
int main(void) { printf("helper as %d for %d\n", geteuid(), getuid()); return 5; }
"#;

/// `CAP_NET_BIND_SERVICE`, permitted and effective (`struct vfs_cap_data` of capabilities(7), revision 2).
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

#[test]
fn users_modes_capabilities_and_directories_stay_as_they_were() {
    if !can_run(&["gcc", "unshare"]) {
        return;
    }
    let directory = scratch();
    let service = compile(directory.path(), "service", SERVICE, &[]);
    let helper = compile(directory.path(), "helper", HELPER, &[]);
    let passwd = "root:x:0:0:root:/root:/bin/bash\nservice:x:1234:1235::/var/lib/service:/usr/sbin/nologin\n";
    let top = Tar::new()
        .file("etc/passwd", passwd)
        .pax(&[("SCHILY.xattr.security.capability", &CAPABILITY)])
        .add(Entry::file("usr/local/bin/service", service).mode(0o755))
        .add(Entry::file("usr/local/bin/helper", helper).mode(0o4755))
        .add(Entry::file("etc/service.key", "secret").mode(0o640).owner(0, 1235))
        .add(Entry::directory("var/lib/service").mode(0o2750).owner(1234, 1235))
        .add(Entry::directory("var/lib/service/sub").mode(0o700).owner(1234, 1235))
        .add(Entry::directory("run/service").mode(0o770).owner(0, 1235));
    let Some(base) = base() else { return };
    let config = json!({"Entrypoint": ["service"], "User": "service", "Volumes": {"/var/lib/service": {}}});
    let layers = [base, layer_of(directory.path(), "layer.tar", top)];
    let roots = Roots::with_needed(directory.path(), &layout(directory.path(), &layers, &config));
    let output = roots.assert_same_run();
    let expected = [
        "CapEff:\t0000000000000400",
        "1234:1235 writes 1",
        "over others' files -1 -1",
        "/tmp 41777 0:0",
        "/var/lib/service 42750 1234:1235",
        "/var/lib/service/sub 40700 1234:1235",
        "/etc/service.key 100640 0:1235",
        "/run/service 40770 0:1235",
        "helper as 0 for 1234",
    ];
    assert_eq!(output.lines().collect::<Vec<_>>(), expected);
    assert_eq!(roots.rebuilt.opened.image.config.volumes, ["/var/lib/service"]);
}

/// Reads what lies beside where it really is, however it was called, and has a library there.
const FINDS_ITSELF: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int value(void);
int main(int count, char **arguments) {
    char path[4096];
    for (int way = 0; way < 2; way++) {
        if (way == 0) path[readlink("/proc/self/exe", path, sizeof path - 1)] = 0;
        else if (!realpath(arguments[1], path)) return perror(arguments[1]), 1;
        strcpy(strrchr(path, '/'), "/../share/message");
        FILE *file = fopen(path, "r");
        if (!file) return perror(path), 2;
        char line[100] = "";
        fputs(fgets(line, sizeof line, file), stdout);
    }
    return value();
}
"#;

#[test]
fn programs_find_what_lies_beside_where_they_really_are() {
    if !can_run(&["gcc", "unshare"]) {
        return;
    }
    for place in ["opt/app", "usr/local", "usr"] {
        let directory = scratch();
        let path = directory.path().to_str().unwrap();
        let soname = ["-shared", "-fPIC", "-Wl,-soname,libvalue.so.1"];
        let library = compile(directory.path(), "libvalue.so.1.0", "int value(void) { return 3; }", &soname);
        let options = ["-L", path, "-l:libvalue.so.1.0", "-Wl,-rpath,$ORIGIN/../lib"];
        let app = compile(directory.path(), "app", FINDS_ITSELF, &options);
        let top = Tar::new()
            .add(Entry::file(format!("{place}/bin/app"), app).mode(0o755))
            .file(format!("{place}/share/message"), "beside\n")
            .file(format!("{place}/lib/libvalue.so.1.0"), library)
            .symlink(format!("{place}/lib/libvalue.so.1"), "libvalue.so.1.0")
            .symlink("bin-of-mine", format!("/{place}/bin/app"));
        let Some(base) = base() else { return };
        let layers = [base, layer_of(directory.path(), "layer.tar", top)];
        let config = json!({"Entrypoint": ["/bin-of-mine", "/bin-of-mine"]});
        let roots = Roots::with_needed(directory.path(), &layout(directory.path(), &layers, &config));
        assert_eq!(roots.assert_same_run(), "beside\nbeside\n");
    }
}

/// Says what Python takes for its own, then runs a program that looks for others by the place of the script.
const OF_TWO_PACKAGES: &[u8] = b"#!/bin/sh
set -e
here=$(dirname \"$(readlink -f \"$0\")\")
cat \"$here/../share/tool-data/words\"
python3 -c 'import sys, sysconfig, json; print(sys.prefix, sys.executable, sysconfig.get_path(\"stdlib\"), json.__file__)'
perl -MConfig -e 'print \"$Config{privlibexp}\\n\"'
exec \"$here/tool-bin\" \"$here/tool-bin\"
";

#[test]
fn programs_find_from_where_they_really_are_what_other_packages_have() {
    let Some(base) = base().filter(|_| can_run(&["gcc", "tar", "unshare"])) else { return };
    let directory = scratch();
    let path = directory.path().to_str().unwrap();
    let soname = ["-shared", "-fPIC", "-Wl,-soname,libvalue.so.1"];
    let library = compile(directory.path(), "libvalue.so.1", "int value(void) { return 3; }", &soname);
    let options = ["-L", path, "-l:libvalue.so.1", "-Wl,-rpath,$ORIGIN/../lib/tool"];
    let program = compile(directory.path(), "tool-bin", FINDS_ITSELF, &options);
    let mut status = std::process::Command::new("tar");
    let status = status.arg("-xOf").arg(&base).arg("./var/lib/dpkg/status").output().unwrap().stdout;
    let mut status = String::from_utf8(status).unwrap();
    let mut top = Tar::new()
        .add(Entry::file("usr/bin/tool", OF_TWO_PACKAGES).mode(0o755))
        .add(Entry::file("usr/bin/tool-bin", program).mode(0o755))
        .file("usr/lib/tool/libvalue.so.1", library)
        .file("usr/share/message", "beside\n")
        .file("usr/share/tool-data/words", "words\n");
    for (package, files) in [
        ("tool", "/usr/bin/tool\n/usr/bin/tool-bin\n"),
        ("libtool-own", "/usr/lib/tool\n/usr/lib/tool/libvalue.so.1\n"),
        ("tool-data", "/usr/share/tool-data\n/usr/share/tool-data/words\n/usr/share/message\n"),
    ] {
        status += &format!("\nPackage: {package}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1-1\n");
        top = top.file(format!("var/lib/dpkg/info/{package}.list"), files);
    }
    let layers = [base, layer_of(directory.path(), "layer.tar", top.file("var/lib/dpkg/status", status))];
    let image = layout(directory.path(), &layers, &json!({"Cmd": ["tool"]}));
    // What a command line of Python imports, and what a program puts together as it runs, is the user's to say.
    let keep = ["--keep", "/usr/share/message", "--keep", "libpython3.11-stdlib"];
    let roots = Roots::new(directory.path(), &image, &keep);
    let output = roots.assert_same_run();
    assert!(
        output.starts_with("words\n/usr /usr/bin/python3 /usr/lib/python3.11 /usr/lib/python3.11/json"),
        "{output}"
    );
    assert!(output.ends_with("\nbeside\nbeside\n"), "{output}");
    let store = std::fs::read_dir(roots.rebuilt.path.join("nix/store")).unwrap();
    let names: Vec<String> = store.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    for package in ["-tool-1-1", "-libtool-own-1-1", "-tool-data-1-1"] {
        assert!(names.iter().any(|name| name.ends_with(package)), "{package}: {names:?}");
    }
}

const PERL: &[u8] = br#"#!/usr/bin/perl
use strict;
use warnings;
use POSIX qw(floor);
use List::Util qw(sum);
use File::Basename;
use lib '/opt/tool/lib';
use Tool::Words;
print floor(sum(1.5, 2)), ' ', basename($0), ' ', Tool::Words::join_all('a', 'b'), "\n";
open(my $list, '-|', 'sort', '-r', '/opt/tool/words') or die;
print while <$list>;
print `head -n 1 /opt/tool/words | tr a-z A-Z`;
exit 4;
"#;

#[test]
fn a_script_in_perl_keeps_its_modules_and_what_it_calls() {
    let directory = scratch();
    let words = b"package Tool::Words;\nsub join_all { return join('+', @_) }\n1;\n";
    let files: [(&str, u32, &[u8]); 3] = [
        ("opt/tool/bin/tool", 0o755, PERL),
        ("opt/tool/lib/Tool/Words.pm", 0o644, words),
        ("opt/tool/words", 0o644, b"one\ntwo\n"),
    ];
    let config = json!({"Entrypoint": ["/opt/tool/bin/tool"]});
    let Some(roots) = debian(directory.path(), &files, &config) else { return };
    assert_eq!(roots.assert_same_run(), "3 tool a+b\ntwo\none\nONE\n");
    roots.assert_has("/usr/bin/apt", false);
}
