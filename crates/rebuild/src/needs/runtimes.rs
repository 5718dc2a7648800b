use super::elf::Abilities;
use super::linker::parent;
use super::search::{Follow, Search};
use super::{How, Reason};
use nixdive_image::NodeId;

/// Language whose programs need more than their interpreter.
struct Runtime {
    /// Beginning of the name of its interpreter.
    program: &'static str,
    /// Directory trees: `@` is the parent of the program's directory, `*` matches within one name.
    trees: &'static [&'static str],
    /// Name of the language.
    name: &'static str,
}

const RUNTIMES: &[Runtime] = &[
    Runtime {
        program: "ruby",
        trees: &[
            "@/lib/ruby",
            "@/lib/*-linux-gnu/ruby",
            "/var/lib/gems",
            "@/share/rubygems-integration",
            "@/local/bundle",
        ],
        name: "Ruby",
    },
    Runtime { program: "php", trees: &["@/lib/php*", "@/share/php*", "/etc/php*", "@/etc/php*"], name: "PHP" },
    Runtime {
        program: "node",
        trees: &["@/share/nodejs", "@/share/node_modules", "@/lib/*-linux-gnu/nodejs"],
        name: "Node.js",
    },
    Runtime {
        program: "nodejs",
        trees: &["@/share/nodejs", "@/share/node_modules", "@/lib/*-linux-gnu/nodejs"],
        name: "Node.js",
    },
    Runtime { program: "lua", trees: &["@/share/lua", "@/lib/lua", "@/lib/*-linux-gnu/lua"], name: "Lua" },
    Runtime { program: "tclsh", trees: &["@/share/tcltk", "@/lib/tcltk", "@/lib/tcl*"], name: "Tcl" },
    Runtime { program: "guile", trees: &["@/share/guile", "@/lib/*-linux-gnu/guile", "@/lib/guile"], name: "Guile" },
    Runtime { program: "erl", trees: &["@/lib/erlang"], name: "Erlang" },
    Runtime { program: "beam.smp", trees: &["/usr/lib/erlang", "/usr/local/lib/erlang"], name: "Erlang" },
    Runtime { program: "dotnet", trees: &["@/share/dotnet", "@/lib/dotnet"], name: ".NET" },
    Runtime { program: "mono", trees: &["@/lib/mono", "/etc/mono"], name: "Mono" },
    Runtime { program: "Rscript", trees: &["@/lib/R", "@/share/R", "/etc/R", "@/local/lib/R"], name: "R" },
    Runtime { program: "octave", trees: &["@/share/octave", "@/lib/*-linux-gnu/octave"], name: "Octave" },
    Runtime { program: "julia", trees: &["@/share/julia", "@/lib/julia", "/etc/julia"], name: "Julia" },
];

/// Programs that start the login shell of a user in /etc/passwd.
const LOGINS: [&[u8]; 6] = [b"su", b"runuser", b"login", b"sshd", b"cron", b"crond"];
/// Common login shells.
const LOGIN_SHELLS: [&str; 3] = ["/bin/sh", "/bin/bash", "/bin/ash"];

impl Search<'_> {
    /// Keeps the trees of a language whose interpreter is needed.
    pub(super) fn follow_runtime(&mut self, node: NodeId) {
        let name = self.view.tree.name(node).to_vec();
        let path = self.view.tree.path(node);
        let prefix = parent(&path).and_then(parent).unwrap_or_default().to_vec();
        let is_python = name.starts_with(b"python") || name.starts_with(b"libpython") || name.starts_with(b"pypy");
        if is_python {
            self.keep_python(node, &prefix);
        } else if name.starts_with(b"perl") && self.view.is_program(node) || name.starts_with(b"libperl.so") {
            self.keep_perl(node, &prefix);
        } else if matches!(name.as_slice(), b"java" | b"libjvm.so" | b"libjli.so") {
            self.keep_java(node, &path);
        } else if name == b"systemd" && self.view.is_program(node) {
            self.keep_units(node);
        } else if LOGINS.contains(&name.as_slice()) && self.view.is_program(node) {
            self.keep_login_shells(node);
        } else if self.view.is_program(node)
            && let Some(runtime) = RUNTIMES.iter().find(|runtime| is_program_of(&name, runtime.program))
        {
            self.keep_trees(node, &prefix, runtime.trees, runtime.name);
        }
    }

    fn keep_trees(&mut self, node: NodeId, prefix: &[u8], trees: &[&str], name: &str) {
        let reason = Reason { from: Some(node), how: How::Runtime };
        if name == "Node.js" {
            // Used by `child_process.exec` and `npm`, without a symbol that shows it.
            self.able(Abilities::SHELL, node);
        }
        let mut found = false;
        for tree in trees {
            let pattern = match tree.strip_prefix('@') {
                Some(rest) => [prefix, rest.as_bytes()].concat(),
                None => tree.as_bytes().to_vec(),
            };
            for root in super::glob::expand(self.view, &pattern) {
                if self.runtimes.insert(root) {
                    found = true;
                    self.need_tree(root, reason, Follow::Programs, &is_of_use);
                }
            }
        }
        if found {
            let message = format!("files loaded by {name} programs are not traced; all its libraries are kept");
            self.doubt(Some(node), message);
        }
    }

    fn keep_login_shells(&mut self, node: NodeId) {
        let reason = Reason { from: Some(node), how: How::ScriptCommand };
        for shell in LOGIN_SHELLS {
            self.need_path(shell.as_bytes(), reason, Follow::All);
        }
    }

    /// Keeps the units of an init system, and the programs that they start.
    fn keep_units(&mut self, node: NodeId) {
        let reason = Reason { from: Some(node), how: How::Runtime };
        for tree in ["/usr/lib/systemd", "/lib/systemd", "/etc/systemd", "/usr/lib/*.d"] {
            for root in super::glob::expand(self.view, tree.as_bytes()) {
                if self.runtimes.insert(root) {
                    self.need_tree(root, reason, Follow::All, &is_of_use);
                }
            }
        }
    }

    /// Keeps the files of Perl's package and its module directories.
    fn keep_perl(&mut self, node: NodeId, prefix: &[u8]) {
        let trees = [
            "@/lib/*-linux-gnu/perl-base",
            "@/lib/*-linux-gnu/perl5",
            "@/lib/*-linux-gnu/perl",
            "@/share/perl",
            "@/share/perl5",
            "@/lib/perl5",
            "@/lib/perl",
            "/etc/perl",
            "/usr/local/lib/*-linux-gnu/perl",
            "/usr/local/share/perl",
        ];
        self.keep_trees(node, prefix, &trees, "Perl");
    }

    /// Keeps the directory that contains `bin/java` or `lib/server/libjvm.so`, and Java's configuration in `/etc`.
    fn keep_java(&mut self, node: NodeId, path: &[u8]) {
        let mut home = parent(path);
        for _ in 0..4 {
            let Some(directory) = home else { return };
            let holds = |name: &str| self.view.find(&[directory, name.as_bytes()].concat()).is_some();
            if holds("/bin/java")
                && (holds("/lib/modules") || holds("/lib/rt.jar") || holds("/jre") || holds("/release"))
            {
                break;
            }
            home = parent(directory);
        }
        let Some(home) = home.and_then(|home| self.view.find(home)) else { return };
        if home == NodeId::ROOT || !self.runtimes.insert(home) {
            return;
        }
        let reason = Reason { from: Some(node), how: How::Runtime };
        self.need_tree(home, reason, Follow::Programs, &is_of_use);
        for certificates in ["/etc/ssl/certs/java", "/etc/default/cacerts"] {
            if let Some(node) = self.view.find(certificates.as_bytes()) {
                self.need_tree(node, reason, Follow::Nothing, &|_, _| true);
            }
        }
        self.doubt(Some(node), "files loaded by Java programs are not traced; the whole runtime is kept");
    }
}

/// Returns `true` if a program belongs to a family by its name: `ruby`, `ruby3.1`, `php-fpm8.2`, but not `rubyfmt`.
fn is_program_of(name: &[u8], family: &str) -> bool {
    name.strip_prefix(family.as_bytes()).is_some_and(|rest| match rest.first() {
        None => true,
        Some(byte) => byte.is_ascii_digit() || matches!(byte, b'-' | b'.'),
    })
}

/// Returns `true` if a running program can use a file in a runtime's tree.
pub(super) fn is_of_use(name: &[u8], is_directory: bool) -> bool {
    const DIRECTORIES: [&[u8]; 5] = [b"__pycache__", b"man", b"doc", b"docs", b"include"];
    if is_directory { !DIRECTORIES.contains(&name) } else { !name.ends_with(b".a") && !name.ends_with(b".pyc") }
}

#[cfg(test)]
mod tests {
    use super::is_program_of;

    #[test]
    fn interpreters_are_known_by_their_names() {
        for (name, family, expected) in [
            ("ruby3.1", "ruby", true),
            ("ruby", "ruby", true),
            ("rubyfmt", "ruby", false),
            ("php-fpm8.2", "php", true),
            ("nodejs", "node", false),
            ("nodejs", "nodejs", true),
            ("node", "node", true),
        ] {
            assert_eq!(is_program_of(name.as_bytes(), family), expected, "{name}");
        }
    }
}
