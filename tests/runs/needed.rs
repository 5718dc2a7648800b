//! Images of Debian, and of programs without a distribution.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::debian::{base, can_run, compile, layer, layout};
use crate::roots::Roots;
use crate::support::program::scratch;

/// A Debian root with a layer on top, opened and unpacked; `None` where nothing can be run here.
pub fn debian(directory: &Path, files: &[(&str, u32, &[u8])], config: &Value) -> Option<Roots> {
    let layers = [base()?, layer(directory, files)];
    Some(Roots::with_needed(directory, &layout(directory, &layers, config)))
}

#[test]
fn the_web_server_of_the_corpus_answers_from_a_few_files() {
    let root = std::env::var_os("NIXDIVE_CORPUS").map_or_else(|| PathBuf::from("../shared/corpus"), PathBuf::from);
    let image = root.join("dockerfile/web-docker.tar.zst");
    if !image.exists() {
        println!("skipped: {} is missing (set NIXDIVE_CORPUS)", image.display());
        return;
    }
    if !can_run(&["unshare"]) {
        return;
    }
    let directory = scratch();
    let roots = Roots::with_needed(directory.path(), &image);
    let answers = roots.assert_same_answers(18080, &["/", "/none"]);
    assert_eq!(answers[0], ("HTTP/1.1 200 OK".to_owned(), b"<h1>hi</h1>\n".to_vec()));
    assert!(roots.rebuilt.bytes() < 12_000_000, "{} bytes", roots.rebuilt.bytes());
    assert!(roots.rebuilt.opened.image.unpacked_bytes() < 12_000_000);
    for gone in ["/bin/sh", "/usr/bin/apt", "/var/lib/dpkg/status", "/usr/bin/perl", "/usr/share/doc/nginx"] {
        roots.assert_has(gone, false);
    }
    let needs = &roots.needed.as_ref().unwrap().1;
    assert!(needs.missing.is_empty(), "{:?}", needs.missing);
}

const NGINX: &[u8] = b"
daemon off;
user www-data;
pid /run/nginx.pid;
error_log stderr;
include /etc/nginx/modules-enabled/*.conf;
events {}
http {
  include mime.types;
  access_log off;
  gzip on;
  include /etc/nginx/conf.d/*.conf;
}
";

#[test]
fn nginx_as_its_package_brings_it_answers() {
    let directory = scratch();
    let server = b"server { listen 127.0.0.1:18081; root /srv/www; location /echo { return 200 $host; } }";
    let files: [(&str, u32, &[u8]); 4] = [
        ("etc/nginx/nginx.conf", 0o644, NGINX),
        ("etc/nginx/conf.d/site.conf", 0o644, server),
        ("srv/www/index.html", 0o644, b"<p>one</p>"),
        ("srv/www/style.css", 0o644, b"p {}"),
    ];
    let config = json!({"Cmd": ["nginx"]});
    let Some(roots) = debian(directory.path(), &files, &config) else { return };
    let answers = roots.assert_same_answers(18081, &["/", "/style.css", "/echo", "/none"]);
    assert_eq!(answers[0].1, b"<p>one</p>");
    assert!(roots.rebuilt.bytes() < 14_000_000, "{} bytes", roots.rebuilt.bytes());
}

pub const SERVICE: &[u8] = br#"#!/usr/bin/env python3
import http.server, json, sqlite3, ssl
from datetime import datetime, timezone
from zoneinfo import ZoneInfo
import yaml

database = sqlite3.connect(":memory:", check_same_thread=False)
database.execute("create table visits (path text)")

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        database.execute("insert into visits values (?)", (self.path,))
        moment = datetime(2024, 7, 1, 12, tzinfo=timezone.utc)
        answer = {
            "visits": database.execute("select count(*) from visits").fetchone()[0],
            "authorities": len(ssl.create_default_context().get_ca_certs()),
            "time": moment.astimezone(ZoneInfo("Asia/Kolkata")).isoformat(),
            "yaml": yaml.safe_load("a: [1, 2]"),
            "user": __import__("pwd").getpwuid(0).pw_name,
        }
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

http.server.HTTPServer(("127.0.0.1", 18082), Handler).serve_forever()
"#;

#[test]
fn a_service_in_python_keeps_its_database_certificates_and_time_zones() {
    let directory = scratch();
    let config = json!({"Entrypoint": ["python3", "app.py"], "WorkingDir": "/srv/app", "User": "nobody",
        "Env": ["PATH=/usr/bin:/bin", "LANG=C.UTF-8", "TZ=Europe/Berlin"]});
    let files: [(&str, u32, &[u8]); 1] = [("srv/app/app.py", 0o644, SERVICE)];
    let Some(roots) = debian(directory.path(), &files, &config) else { return };
    let answers = roots.assert_same_answers(18082, &["/", "/a"]);
    let answer: Value = serde_json::from_slice(&answers[0].1).unwrap();
    assert!(answer["authorities"].as_u64().unwrap() > 100, "{answer}");
    assert_eq!((&answer["time"], &answer["yaml"]), (&json!("2024-07-01T17:30:00+05:30"), &json!({"a": [1, 2]})));
    roots.assert_has("/usr/bin/apt", false);
    roots.assert_has("/usr/sbin/nginx", false);
}

const ENTRYPOINT: &[u8] = br#"#!/bin/sh
set -e
: "${GREETING:=hello}"
mkdir -p /tmp/run/sub
printf '%s\n' b a c > /tmp/run/list
. /usr/local/share/functions
greet "$(sort /tmp/run/list | tr '\n' ' ')"
case "$1" in
  count) wc -l < /tmp/run/list; cut -c1 /etc/passwd | head -n 1 ;;
esac
if ! grep -q nothing /tmp/run/list; then
  sed 's/a/A/' /tmp/run/list | cat
fi
ls /tmp/run
exec "$@"
"#;

#[test]
fn an_entry_point_in_shell_keeps_what_it_calls() {
    let directory = scratch();
    let files: [(&str, u32, &[u8]); 3] = [
        ("entrypoint.sh", 0o755, ENTRYPOINT),
        ("usr/local/share/functions", 0o644, b"greet() { echo \"$GREETING $1\"; basename /a/b; }\n"),
        ("usr/local/bin/count", 0o755, b"#!/bin/bash\nlist=(1 2 3)\necho ${#list[@]} | tee /tmp/count\nexit 3\n"),
    ];
    let config = json!({"Entrypoint": ["/entrypoint.sh"], "Cmd": ["count"]});
    let Some(roots) = debian(directory.path(), &files, &config) else { return };
    let output = roots.assert_same_run();
    assert!(output.starts_with("hello a b c"), "{output}");
    for (path, expected) in [("/usr/bin/sort", true), ("/usr/bin/basename", true), ("/usr/bin/perl", false)] {
        roots.assert_has(path, expected);
    }
}

#[test]
fn a_static_program_needs_nothing_else() {
    if !can_run(&["gcc", "unshare"]) {
        return;
    }
    let directory = scratch();
    let source = "#include <stdio.h>\nint main(int n, char **a) { printf(\"%d %s\\n\", n, a[n - 1]); return 7; }";
    let program = compile(directory.path(), "program", source, &["-static"]);
    let layers = [layer(directory.path(), &[("app/program", 0o755, &program)])];
    let config = json!({"Entrypoint": ["/app/program", "x"]});
    let roots = Roots::with_needed(directory.path(), &layout(directory.path(), &layers, &config));
    assert_eq!(roots.assert_same_run(), "2 x\n");
    assert_eq!(roots.rebuilt.bytes(), program.len() as u64);
}

/// Opens the plugins of a directory, and a library; `place` is an expression of C.
pub fn opens_plugins(place: &str) -> String {
    r#"
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void) {
    char path[512];
    const char *place = PLACE;
    DIR *directory = opendir(place);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        if (!strstr(entry->d_name, ".so")) continue;
        snprintf(path, sizeof path, "%s/%s", place, entry->d_name);
        void *plugin = dlopen(path, RTLD_NOW);
        if (!plugin) { puts(dlerror()); return 1; }
        puts(((const char *(*)(void))dlsym(plugin, "name"))());
    }
    void *z = dlopen("libz.so.1", RTLD_NOW);
    if (!z) { puts(dlerror()); return 2; }
    puts(((const char *(*)(void))dlsym(z, "zlibVersion"))());
    return 6;
}
"#
    .replace("PLACE", place)
}

#[test]
fn plugins_that_are_opened_while_a_program_runs_are_kept() {
    if !can_run(&["gcc"]) {
        return;
    }
    let directory = scratch();
    let program = compile(directory.path(), "plugged", &opens_plugins("\"/usr/local/lib/plugged/plugins\""), &[]);
    let plugin = "#include <math.h>\nextern double sqrt(double);\nvolatile double two = 2;\n\
        const char *name(void) { return sqrt(two) > 1 ? \"plugin\" : \"none\"; }";
    let plugin = compile(directory.path(), "plugin.so", plugin, &["-shared", "-fPIC", "-lm"]);
    let files: [(&str, u32, &[u8]); 2] =
        [("usr/local/bin/plugged", 0o755, &program), ("usr/local/lib/plugged/plugins/one.so", 0o755, &plugin)];
    let Some(roots) = debian(directory.path(), &files, &json!({"Cmd": ["plugged"]})) else { return };
    let output = roots.assert_same_run();
    assert!(output.starts_with("plugin\n1."), "{output}");
    roots.assert_has("/lib/x86_64-linux-gnu/libz.so.1", true);
}
