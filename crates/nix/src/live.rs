//! A real Nix for tests to hold this room against.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::missing_panics_doc
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nixdive_base::testing::skip;

/// A store of its own in a temporary directory.
pub struct Lab {
    directory: tempfile::TempDir,
    /// Directory of Nix's programs; `None` for those on PATH.
    programs: Option<PathBuf>,
}

/// Creates a lab; without Nix prints the reason and returns `None`, or panics if `NIXDIVE_LIVE` is
/// `1`.
pub fn lab(test: &str) -> Option<Lab> {
    let found = Command::new("nix-store").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        skip(test, "nix-store is not installed");
        return None;
    }
    Some(Lab { directory: tempfile::tempdir().unwrap(), programs: None })
}

/// A lab of the Nix on PATH, and one of another version: `NIXDIVE_OTHER_NIX` names the directory of its programs.
pub fn labs(test: &str) -> Vec<Lab> {
    let other = std::env::var_os("NIXDIVE_OTHER_NIX").map(PathBuf::from);
    if other.is_none() {
        eprintln!("{test}: one version of Nix alone is tried, as NIXDIVE_OTHER_NIX is not set");
    }
    let other = other.map(|programs| Lab { directory: tempfile::tempdir().unwrap(), programs: Some(programs) });
    lab(test).into_iter().chain(other).collect()
}

impl Lab {
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A Nix program that works on this store alone.
    pub fn command(&self, program: &str) -> Command {
        let mut command = match &self.programs {
            Some(programs) => Command::new(programs.join(program)),
            None => Command::new(program),
        };
        let home = self.path().join("home");
        fs::create_dir_all(&home).unwrap();
        // A store that is not at its own place is built for in a namespace, into which the shell has to be let.
        let settings = [
            "sandbox = false",
            "sandbox-paths = /bin /usr /lib /lib64",
            "build-users-group =",
            "experimental-features = nix-command",
            "substitute = false",
        ]
        .join("\n");
        command.env("NIX_CONFIG", settings).env("HOME", home).env("XDG_CACHE_HOME", self.path().join("cache"));
        command.env("NIX_REMOTE", self.path().join("root"));
        command
    }

    /// Major and minor version.
    pub fn version(&self) -> (u32, u32) {
        let printed = self.run("nix", &["--version"]);
        let mut numbers =
            printed.trim().rsplit(' ').next().unwrap().split(['.', 'p']).map(|part| part.parse().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    }

    /// Standard output of a program that has to succeed.
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output: Output = self.command(program).args(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{program} {arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// A derivation of a shell script. Builders end with a pause: Nix may kill one that is gone at once and call it failed.
pub const DERIVE: &str = r#"
let derive = name: script: derivation {
  inherit name; system = builtins.currentSystem; builder = "/bin/sh";
  args = [ "-c" "export PATH=/usr/bin:/bin; ${script}\nsleep 0.05 & exit 0" ];
};
"#;

/// Every way to refer: text, link, bare hash, name of a file, over the border of blocks, to itself; and what does not.
pub const SMALL: &str = r#"
  hash = path: builtins.substring 11 32 "${path}";
  c = derive "c-1.0" "echo nothing >$out";
  d = derive "d-2.0-dev" "mkdir -p $out/bin; echo x >$out/bin/d; chmod +x $out/bin/d; ln -s d $out/bin/e";
  b = derive "b-3.1" "mkdir $out; ln -s ${d}/bin $out/bin; echo $out >$out/self; : >$out/${hash c}";
  a = derive "a" ''mkdir $out; h=${b}; h=''${h#/nix/store/}; h=''${h%%-*}
    (head -c 4080 /dev/zero; echo $h; printf eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee) >$out/blob
    echo ${c} | tr a-z A-Z >$out/upper'';
in a"#;

/// 220 paths, each with references to some before it, some of them to themselves.
pub const LARGE: &str = r#"
  mod = a: b: a - b * (a / b);
  make = n: before:
    let
      at = k: builtins.elemAt before k;
      picks = if n == 0 then [ ] else [ (at (n - 1 - mod (n * 5) (if n < 30 then n else 30))) (at (n / 2)) (at (mod (n * 7) n + mod (n * n) n)) ];
    in derive "p${toString n}-1.${toString (mod n 5)}" ''
      mkdir -p $out/lib; ${if mod n 3 == 0 then "echo $out >$out/lib/self;" else ""}
      head -c ${toString (n * 97)} /dev/zero >$out/lib/zeros
      for p in ${toString picks}; do echo $p/lib >>$out/references; done'';
  grow = list: if builtins.length list == 220 then list else grow (list ++ [ (make (builtins.length list) list) ]);
  all = grow [ ];
in derive "all" "mkdir $out; for p in ${toString all}; do ln -s $p $out/; done""#;

/// Flat files that name one another; nothing is built.
pub const FLAT: &str = r#"
  file = n: builtins.toFile "f${toString n}-0.${toString n}.txt"
    (if n == 0 then "end" else "${file (n - 1)} ${if n > 2 then file (n - 3) else ""}");
in file 12"#;

/// The store path that an expression gives, built.
pub fn build(lab: &Lab, expression: &str) -> String {
    let file = lab.path().join("expression.nix");
    fs::write(&file, format!("{DERIVE}{expression}")).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let printed = if expression == FLAT {
        lab.run("nix-instantiate", &["--eval", "--read-write-mode", &file])
    } else {
        lab.run("nix-build", &["--no-out-link", "-j6", &file])
    };
    printed.trim().trim_matches('"').to_owned()
}
