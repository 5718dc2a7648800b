use std::path::Path;
use std::process::Command;

use super::{NameAndVersion, output, skip};
use crate::{DatabaseFile, PackageSet, is_wanted, parse};

/// Reads every database that lies right below the given directories.
fn read_directories<'a>(directories: impl Iterator<Item = &'a Path>) -> PackageSet {
    let mut contents = Vec::new();
    for directory in directories {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path().to_string_lossy().into_owned();
            if is_wanted(path.as_bytes())
                && let Ok(content) = std::fs::read(&path)
            {
                contents.push((path, content));
            }
        }
    }
    let files: Vec<DatabaseFile> =
        contents.iter().map(|(path, content)| DatabaseFile { path: path.as_bytes().into(), content }).collect();
    let parsed = parse(&files);
    assert_eq!(parsed.problems, []);
    parsed.packages
}

#[test]
fn the_packages_of_this_machine_are_those_that_dpkg_query_prints() {
    let format = "${db:Status-Status}\t${Package}\t${Version}\t${Architecture}\t${Installed-Size}\n";
    let Some(printed) = output(Command::new("dpkg-query").args(["-W", "-f", format])) else {
        return skip("dpkg-query does not run");
    };
    let mut expected: Vec<Vec<String>> = printed
        .lines()
        .filter_map(|line| line.strip_prefix("installed\t"))
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect();
    let set = read_directories([Path::new("/var/lib/dpkg"), Path::new("/var/lib/dpkg/info")].into_iter());
    let mut found: Vec<Vec<String>> = set
        .packages()
        .iter()
        .map(|package| {
            let kibibytes = package.installed_bytes.map_or(String::new(), |bytes| (bytes / 1024).to_string());
            let architecture = package.architecture.as_deref().unwrap_or_default();
            vec![package.name.to_string(), package.version.to_string(), architecture.to_owned(), kibibytes]
        })
        .collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn the_files_of_a_package_are_those_that_dpkg_query_lists_and_no_directories() {
    let Some(printed) = output(Command::new("dpkg-query").args(["-L", "coreutils"])) else {
        return skip("dpkg-query does not list coreutils");
    };
    let mut expected: Vec<&str> = printed.lines().filter(|path| !Path::new(path).is_dir()).collect();
    let set = read_directories([Path::new("/var/lib/dpkg"), Path::new("/var/lib/dpkg/info")].into_iter());
    let package = set.packages().iter().find(|package| &*package.name == "coreutils").unwrap();
    let mut found: Vec<String> = set.files(package).map(|file| String::from_utf8(file.path()).unwrap()).collect();
    expected.sort_unstable();
    found.sort();
    assert_eq!(found, expected);
}

/// Prints the directory of installed distributions, then name, version and number of listed files of each.
const PYTHON: &str = "
import importlib.metadata, sysconfig
base = sysconfig.get_path('purelib')
print(base)
for it in importlib.metadata.distributions(path=[base]):
    print(it.metadata['Name'], it.version, len(it.files or []), sep='\\t')
";

#[test]
fn the_python_distributions_of_this_machine_are_those_that_python_and_pip_know() {
    let Some(printed) = output(Command::new("python3").args(["-c", PYTHON])) else {
        return skip("python3 does not run");
    };
    let mut lines = printed.lines();
    let base = Path::new(lines.next().unwrap());
    let mut expected: Vec<Vec<String>> = lines.map(|line| line.split('\t').map(str::to_owned).collect()).collect();
    expected.sort();
    if expected.is_empty() {
        return skip("python3 has no distribution installed");
    }
    let inside: Vec<_> = std::fs::read_dir(base).unwrap().flatten().map(|entry| entry.path()).collect();
    let set = read_directories([base].into_iter().chain(inside.iter().map(|path| path.as_path())));
    let mut found: Vec<Vec<String>> = set
        .packages()
        .iter()
        .map(|package| {
            vec![package.name.to_string(), package.version.to_string(), set.files(package).len().to_string()]
        })
        .collect();
    found.sort();
    assert_eq!(found, expected);
    compare_with_pip(base, &found);
}

fn compare_with_pip(base: &Path, found: &[Vec<String>]) {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--disable-pip-version-check", "list", "--format", "json", "--path"]).arg(base);
    let Some(printed) = output(&mut pip) else {
        return skip("pip does not run");
    };
    let printed: Vec<serde_json::Value> = serde_json::from_str(&printed).unwrap();
    let mut expected: Vec<NameAndVersion> = printed
        .iter()
        .map(|it| (it["name"].as_str().unwrap().to_owned(), it["version"].as_str().unwrap().to_owned()))
        .collect();
    expected.sort();
    let found: Vec<NameAndVersion> = found.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    assert_eq!(found, expected);
}
