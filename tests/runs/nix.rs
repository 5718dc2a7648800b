//! Images of a Nix store: those of the corpus, and the counterparts of Debian's, built by a real Nix.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::debian::{base, can_run, compile, done, layer_of, layout};
use crate::needed::{SERVICE, opens_plugins};
use crate::roots::Roots;
use crate::support::program::scratch;
use crate::support::tar_bytes::{Entry, Tar};

/// An image of the corpus; `None`, with a word, where that is not here.
fn corpus(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("NIXDIVE_CORPUS").map_or_else(|| PathBuf::from("../shared/corpus"), PathBuf::from);
    let image = root.join(name);
    if !image.exists() {
        println!("skipped: {} is missing (set NIXDIVE_CORPUS)", image.display());
        return None;
    }
    can_run(&["unshare"]).then_some(image)
}

/// The store paths of a root by their names.
fn store_names(root: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(root.join("nix/store")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()[33..].to_owned()).collect();
    names.sort();
    names
}

#[test]
fn the_web_server_of_the_corpus_answers_with_and_without_what_it_has_by_accident() {
    let Some(image) = corpus("nix/web-nix.tar.gz") else { return };
    let least = ["--drop", "docs,locales", "--cut", "c_rehash=>perl"];
    for (options, most_bytes, has_perl) in [(&[][..], 34_000_000, true), (&least, 25_000_000, false)] {
        let directory = scratch();
        let roots = Roots::new(directory.path(), &image, options);
        let answers = roots.assert_same_answers(18080, &["/", "/none"]);
        assert_eq!(answers[0].0, "HTTP/1.1 200 OK");
        assert!(roots.rebuilt.opened.image.unpacked_bytes() < most_bytes);
        assert_eq!(store_names(&roots.rebuilt.path).iter().any(|name| name.starts_with("perl-")), has_perl);
    }
}

#[test]
fn hello_of_the_corpus_says_hello() {
    let Some(image) = corpus("nix/hello-nix.tar.gz") else { return };
    let directory = scratch();
    let roots = Roots::new(directory.path(), &image, &["--drop", "docs,locales"]);
    assert_eq!(roots.assert_same_run(), "Hello, world!\n");
    assert_eq!(store_names(&roots.rebuilt.path), ["glibc-2.36", "hello-2.10"]);
}

/// A store that a real Nix built below a directory that is kept, and its programs by their names.
struct Store {
    root: PathBuf,
    all: PathBuf,
}

impl Store {
    /// Builds it, or what of it has changed.
    fn new() -> Option<Self> {
        static BUILDING: Mutex<()> = Mutex::new(());
        let layer = base()?;
        if !can_run(&["nix-build", "nix-store", "patchelf", "gcc", "tar"]) {
            return None;
        }
        let _building = BUILDING.lock().unwrap();
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let debian = directory.join("debian-bookworm");
        if !debian.exists() {
            let part = directory.join("debian-bookworm.unpacked");
            let _ = std::fs::remove_dir_all(&part);
            std::fs::create_dir(&part).unwrap();
            done(Command::new("tar").arg("-C").arg(&part).arg("-xf").arg(&layer));
            std::fs::rename(part, &debian).unwrap();
        }
        let programs = directory.join("nix-programs");
        write_programs(&programs);
        let root = directory.join("nix-root");
        let stamp = layer.metadata().unwrap().len().to_string();
        let mut build = nix(&root, "nix-build", &[&debian, &programs]);
        build.arg("--no-out-link").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runs/images.nix"));
        for (name, value) in [("root", debian.to_str().unwrap()), ("programs", programs.to_str().unwrap())] {
            build.args(["--argstr", name, value]);
        }
        let printed = printed(build.args(["--argstr", "stamp", &stamp]));
        Some(Self { root, all: PathBuf::from(printed.trim()) })
    }

    /// The store path of a name.
    fn path(&self, name: &str) -> String {
        let link = self.root.join(self.all.strip_prefix("/").unwrap()).join(name);
        std::fs::read_link(link).unwrap().into_os_string().into_string().unwrap()
    }

    /// An image of some store paths with all that they need, a layer for each as dockerTools has it, and of something that
    /// nothing needs.
    fn image(&self, directory: &Path, names: &[&str], config: &Value) -> PathBuf {
        let wanted: Vec<String> = names.iter().chain(&["stray"]).map(|name| self.path(name)).collect();
        let closure = printed(nix(&self.root, "nix-store", &[]).args(["--query", "--requisites"]).args(wanted));
        let mut layers = Vec::new();
        for (number, path) in closure.lines().enumerate() {
            let layer = directory.join(format!("{number}.tar"));
            let mut tar = Command::new("tar");
            tar.arg("-C").arg(&self.root).args(["--sort=name", "--owner=0", "--group=0", "--mtime=@1", "-cf"]);
            done(tar.arg(&layer).arg(format!(".{path}")));
            layers.push(layer);
        }
        let top = Tar::new()
            .file("etc/passwd", "root:x:0:0:root:/:/none\nnobody:x:65534:65534::/:/none\n")
            .add(Entry::directory("tmp").mode(0o1777));
        layers.push(layer_of(directory, "top.tar", top));
        layout(directory, &layers, config)
    }
}

/// A Nix program that works below a root alone, and may read some directories.
fn nix(root: &Path, program: &str, readable: &[&Path]) -> Command {
    let readable: String = readable.iter().map(|path| format!(" {}", path.display())).collect();
    let settings = format!(
        "sandbox = false\nbuild-users-group =\nsubstitute = false\nsandbox-paths = /bin /usr /lib /lib64{readable}\n"
    );
    let mut command = Command::new(program);
    command.env("NIX_CONFIG", settings).env("NIX_REMOTE", root);
    command.env("HOME", root.with_extension("home")).env("XDG_CACHE_HOME", root.with_extension("cache"));
    command
}

fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A script but for its first line.
const ENTRY: &str = r#"
set -e
: "${GREETING:=none}"
mkdir -p /tmp/run/sub
printf '%s\n' b a c > /tmp/run/list
echo "$GREETING $(sort /tmp/run/list | tr '\n' ' ')"
case "$1" in
  count) wc -l < /tmp/run/list; cut -c1 /etc/passwd | head -n 1 ;;
esac
ls /tmp/run
basename /a/b | tee /tmp/run/name
exit 3
"#;

/// What the expression takes from outside. Files that are as they were stay, so that Nix builds nothing again.
fn write_programs(directory: &Path) {
    std::fs::create_dir_all(directory).unwrap();
    std::fs::write(directory.join("app.py"), SERVICE).unwrap();
    std::fs::write(directory.join("entry"), ENTRY).unwrap();
    let plugin = "#include <math.h>\nvolatile double two = 2;\n\
        const char *name(void) { return sqrt(two) > 1 ? \"plugin\" : \"none\"; }";
    compile(directory, "static", "#include <stdio.h>\nint main(void) { puts(\"static\"); return 7; }", &["-static"]);
    compile(directory, "plugged", &opens_plugins("getenv(\"PLUGINS\")"), &[]);
    compile(directory, "plugin.so", plugin, &["-shared", "-fPIC", "-lm"]);
}

/// That of a rebuilt image neither what nothing needs nor documentation is left.
#[track_caller]
fn assert_lean(roots: &Roots) {
    assert!(store_names(&roots.whole.path).iter().any(|name| name == "stray-1.0"));
    assert!(store_names(&roots.rebuilt.path).iter().all(|name| name != "stray-1.0"));
    let left = printed(Command::new("find").arg(&roots.rebuilt.path).args([
        "-path",
        "*/share/man/*",
        "-o",
        "-name",
        "README",
    ]));
    assert_eq!(left, "");
}

#[test]
fn a_service_in_python_of_a_store_answers() {
    let Some(store) = Store::new() else { return };
    let directory = scratch();
    let [python, app, yaml] = ["python", "app", "yaml"].map(|name| store.path(name));
    let (authorities, tzdata) = (store.path("authorities"), store.path("tzdata"));
    let config = json!({"Entrypoint": [format!("{python}/bin/python3"), format!("{app}/app.py")], "User": "nobody",
        "Env": [format!("PYTHONPATH={yaml}/lib/python3/dist-packages"),
            format!("SSL_CERT_FILE={authorities}/etc/ssl/certs/ca-bundle.crt"),
            format!("PYTHONTZPATH={tzdata}/share/zoneinfo")]});
    let image = store.image(directory.path(), &["python", "app", "yaml", "authorities", "tzdata"], &config);
    let roots = Roots::new(directory.path(), &image, &["--drop", "docs"]);
    let answers = roots.assert_same_answers(18082, &["/", "/a"]);
    let answer: Value = serde_json::from_slice(&answers[0].1).unwrap();
    assert!(answer["authorities"].as_u64().unwrap() > 100, "{answer}");
    assert_eq!((&answer["time"], &answer["yaml"]), (&json!("2024-07-01T17:30:00+05:30"), &json!({"a": [1, 2]})));
    assert_lean(&roots);
}

#[test]
fn an_entry_point_in_shell_of_a_store_does_what_it_did() {
    let Some(store) = Store::new() else { return };
    let directory = scratch();
    let (entry, coreutils) = (store.path("entry"), store.path("coreutils"));
    let config = json!({"Entrypoint": [format!("{entry}/bin/entry")], "Cmd": ["count"],
        "Env": [format!("PATH={coreutils}/bin"), "GREETING=hello"]});
    let image = store.image(directory.path(), &["entry", "coreutils"], &config);
    let roots = Roots::new(directory.path(), &image, &["--drop", "docs"]);
    let output = roots.assert_same_run();
    assert!(output.starts_with("hello a b c"), "{output}");
    assert_lean(&roots);
}

#[test]
fn programs_of_a_store_static_and_with_plugins_do_what_they_did() {
    let Some(store) = Store::new() else { return };
    let plugins = format!("PLUGINS={}/share/plugins", store.path("plugged"));
    for (name, environment, said) in [("static", None, "static\n"), ("plugged", Some(plugins), "plugin\n1.")] {
        let directory = scratch();
        let config = json!({"Cmd": [format!("{}/bin/{name}", store.path(name))], "Env": environment.as_slice()});
        let image = store.image(directory.path(), &[name], &config);
        let roots = Roots::new(directory.path(), &image, &["--drop", "docs"]);
        let output = roots.assert_same_run();
        assert!(output.starts_with(said), "{output}");
        assert_lean(&roots);
    }
}
