use serde_json::Value;

use super::Place;
use crate::support::program::run;
use crate::support::tar_bytes::Tar;

const OS_RELEASE: &str = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\nHOME_URL=\"https://www.debian.org/\"\n";
const STATUS: &str = "Package: libssl3\nStatus: install ok installed\nSource: openssl\nArchitecture: amd64\nVersion: 3.0.11-1\n\n\
    Package: g++\nStatus: install ok installed\nSource: gcc-defaults (1.203)\nArchitecture: amd64\nVersion: 4:12.2.0-3\n\n\
    Package: tar\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.34\n";

fn debian() -> Place {
    let tar = Tar::new()
        .symlink("etc/os-release", "../usr/lib/os-release")
        .file("usr/lib/os-release", OS_RELEASE)
        .file("var/lib/dpkg/status", STATUS)
        .file(
            "app/lib/site-packages/flask-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: flask\nVersion: 1.0\n",
        );
    Place::of(vec![tar.finish()])
}

fn bill(place: &Place, format: &str) -> Value {
    serde_json::from_slice(&run(&["sbom", place.image(), "--format", format]).done().stdout).unwrap()
}

fn list(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn cyclonedx_names_the_operating_system_and_what_belongs_to_it() {
    let place = debian();
    let bill = bill(&place, "cyclonedx");
    let components = bill["components"].as_array().unwrap();
    let systems: Vec<&Value> = components.iter().filter(|found| found["type"] == "operating-system").collect();
    let [system] = systems[..] else { panic!("one operating system: {systems:?}") };
    assert_eq!((&system["name"], &system["version"]), (&"debian".into(), &"12".into()));
    assert_eq!(system["description"], "Debian GNU/Linux 12 (bookworm)");
    let depends = |reference: &Value| {
        let all = bill["dependencies"].as_array().unwrap();
        list(&all.iter().find(|found| found["ref"] == *reference).unwrap()["dependsOn"])
    };
    assert!(depends(&"image".into()).contains(&system["bom-ref"].as_str().unwrap()));
    assert_eq!(depends(&system["bom-ref"]).len(), 3, "the packages of dpkg, not Python's");
    let component = |name: &str| components.iter().find(|found| found["name"] == name).unwrap();
    let url = |name: &str| component(name)["purl"].as_str().unwrap().to_owned();
    assert_eq!(url("libssl3"), "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12&upstream=openssl");
    assert!(url("g++").ends_with("&upstream=gcc-defaults%401.203"), "{}", url("g++"));
    assert_eq!(url("tar"), "pkg:deb/debian/tar@1.34?arch=amd64&distro=debian-12");
    let property = |name: &str, key: &str| {
        let all = component(name)["properties"].as_array().unwrap();
        all.iter().find(|property| property["name"] == key).map(|property| property["value"].clone())
    };
    assert_eq!(property("libssl3", "aquasecurity:trivy:SrcName"), Some("openssl".into()));
    assert_eq!(property("libssl3", "aquasecurity:trivy:SrcVersion"), None, "the package's own");
    assert_eq!(property("g++", "aquasecurity:trivy:SrcVersion"), Some("1.203".into()));
}

#[test]
fn spdx_names_the_operating_system_and_what_belongs_to_it() {
    let bill = bill(&debian(), "spdx");
    let packages = bill["packages"].as_array().unwrap();
    let is_system = |found: &&Value| found["primaryPackagePurpose"] == "OPERATING_SYSTEM";
    let systems: Vec<&Value> = packages.iter().filter(is_system).collect();
    let [system] = systems[..] else { panic!("one operating system: {systems:?}") };
    assert_eq!((&system["name"], &system["versionInfo"]), (&"debian".into(), &"12".into()));
    assert!(system["SPDXID"].as_str().unwrap().starts_with("SPDXRef-OperatingSystem"));
    let relationships = bill["relationships"].as_array().unwrap();
    let contained = relationships.iter().filter(|found| found["spdxElementId"] == system["SPDXID"]);
    assert_eq!(contained.count(), 3);
    let openssl = packages.iter().find(|found| found["name"] == "libssl3").unwrap();
    assert_eq!(openssl["sourceInfo"], "built package from: openssl 3.0.11-1");
}

#[test]
fn an_image_that_names_no_system_has_none() {
    let place = Place::of(vec![Tar::new().file("app/data", "x").finish()]);
    let cyclonedx = bill(&place, "cyclonedx");
    assert_eq!(cyclonedx["components"].as_array().unwrap().len(), 0);
    assert_eq!(bill(&place, "spdx")["packages"].as_array().unwrap().len(), 1);
}
