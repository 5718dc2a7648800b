use std::path::Path;
use std::process::{Command, Stdio};

use super::{output, skip};
use crate::{DatabaseFile, PackageSet, parse};

const PACKAGES: usize = 24;

/// A specification of many packages of different lengths, so that the database has inner pages and overflow pages.
fn specification() -> String {
    let mut text = "Name: sample\nVersion: 1.2\nRelease: 3\nSummary: s\nLicense: MIT\n%description\nd\n".to_owned();
    let mut install = String::new();
    let mut files = String::new();
    for part in 0..PACKAGES {
        let epoch = if part % 3 == 0 { format!("Epoch: {part}\n") } else { String::new() };
        let architecture = if part % 2 == 0 { "BuildArch: noarch\n" } else { "" };
        text += &format!(
            "%package -n part{part}\nSummary: s\nVersion: {part}.0~rc1\nAutoReqProv: no\n{epoch}{architecture}\
             %description -n part{part}\nd\n"
        );
        let directory = format!("%{{buildroot}}/usr/share/part{part}");
        let count = part * 9 + 1;
        install += &format!(
            "mkdir -p {directory}/deep; for f in $(seq {count}); do echo {part} >{directory}/deep/file$f; done; \
             ln -s deep/file1 {directory}/link\n"
        );
        files += &format!("%files -n part{part}\n/usr/share/part{part}\n%ghost /var/log/part{part}.log\n");
    }
    format!("{text}%install\n{install}{files}%files\n")
}

/// Builds the packages and registers them in a new database of this machine's rpm.
fn make_database(directory: &Path) -> Option<()> {
    std::fs::write(directory.join("sample.spec"), specification()).ok()?;
    let mut build = Command::new("rpmbuild");
    build.args(["-bb", "--define", &format!("_topdir {}", directory.join("top").display())]);
    build.args(["--define", "__os_install_post %{nil}", "sample.spec"]).current_dir(directory);
    output(&mut build)?;
    let mut packages = Vec::new();
    for architecture in std::fs::read_dir(directory.join("top/RPMS")).ok()?.flatten() {
        packages.extend(std::fs::read_dir(architecture.path()).ok()?.flatten().map(|entry| entry.path()));
    }
    let mut install = rpm(&directory.join("db"), "sqlite");
    install.args(["-i", "--justdb", "--nodeps", "--ignorearch", "--ignoreos"]).args(&packages);
    output(&mut install).map(drop)
}

fn rpm(database: &Path, backend: &str) -> Command {
    let mut command = Command::new("rpm");
    command.args(["--define", &format!("_db_backend {backend}"), "--dbpath"]).arg(database).stderr(Stdio::null());
    command
}

/// Compares what is read from a database with what rpm prints of it: packages first, then files.
fn assert_same(set: &PackageSet, database: &Path, backend: &str) {
    let query = |format: &str| {
        let printed = output(rpm(database, backend).args(["-qa", "--qf", format])).unwrap();
        let mut lines: Vec<String> = printed.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let packages = query("%{NAME}\t%{EVR}\t%{ARCH}\t%{SIZE}\n");
    assert_eq!(packages.len(), PACKAGES + 1);
    let mut found: Vec<String> = set
        .packages()
        .iter()
        .map(|package| {
            let architecture = package.architecture.as_deref().unwrap_or_default();
            format!("{}\t{}\t{architecture}\t{}", package.name, package.version, package.installed_bytes.unwrap())
        })
        .collect();
    found.sort();
    assert_eq!(found, packages);
    let files = query("[%{=NAME}\t%{FILEMODES:perms}\t%{FILENAMES}\n]");
    let files: Vec<String> = files
        .iter()
        .filter_map(|line| {
            let mut columns = line.split('\t');
            let (name, mode, path) = (columns.next()?, columns.next()?, columns.next()?);
            (!mode.starts_with('d')).then(|| format!("{name}\t{path}"))
        })
        .collect();
    let mut found: Vec<String> = Vec::new();
    for package in set.packages() {
        let paths = set.files(package).map(|file| String::from_utf8(file.path()).unwrap());
        found.extend(paths.map(|path| format!("{}\t{path}", package.name)));
    }
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    assert_eq!(sorted(found), sorted(files));
}

fn read(path: &str, content: &[u8]) -> PackageSet {
    let parsed = parse(&[DatabaseFile { path: path.as_bytes().into(), content }]);
    assert_eq!(parsed.problems, []);
    parsed.packages
}

/// Writes the blobs of an SQLite database into a Berkeley DB hash, with the tool of Berkeley DB.
fn make_berkeley(sqlite: &Path, berkeley: &Path) -> Option<()> {
    let row = "select ' '||printf('%02x%02x0000', hnum%256, hnum/256)||char(10)||' '||lower(hex(blob)) from Packages";
    let rows = output(Command::new("sqlite3").arg(sqlite).arg(row))?;
    let dump = format!("VERSION=3\nformat=bytevalue\ntype=hash\ndb_pagesize=4096\nHEADER=END\n{rows}DATA=END\n");
    let dump_path = berkeley.with_extension("dump");
    std::fs::write(&dump_path, dump).ok()?;
    let load = |tool: &str| output(Command::new(tool).arg("-f").arg(&dump_path).arg(berkeley));
    load("db5.3_load").or_else(|| load("db_load")).map(drop)
}

#[test]
fn the_packages_of_a_database_are_those_that_rpm_prints() {
    let directory = tempfile::tempdir().unwrap();
    if make_database(directory.path()).is_none() {
        return skip("rpmbuild and rpm do not make a database");
    }
    let database = directory.path().join("db");
    let sqlite = database.join("rpmdb.sqlite");
    let set = read("/var/lib/rpm/rpmdb.sqlite", &std::fs::read(&sqlite).unwrap());
    assert_same(&set, &database, "sqlite");

    let berkeley = directory.path().join("berkeley");
    std::fs::create_dir(&berkeley).unwrap();
    if make_berkeley(&sqlite, &berkeley.join("Packages")).is_none() {
        return skip("sqlite3 and db_load do not make a Berkeley DB hash");
    }
    let set = read("/var/lib/rpm/Packages", &std::fs::read(berkeley.join("Packages")).unwrap());
    assert_same(&set, &berkeley, "bdb_ro");
}
