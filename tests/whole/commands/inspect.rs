use serde_json::{Value, json};

use super::{Place, root};
use crate::support::images::{Image, sample_layers};
use crate::support::program::run;
use crate::support::tar_bytes::Tar;

#[test]
fn the_json_report_has_its_schema_and_its_names() {
    let place = root();
    let report = run(&["inspect", place.image(), "--format", "json"]).done();
    let report: Value = serde_json::from_str(report.text()).unwrap();
    assert_eq!(report["schema"], "nixdive.inspect/1");
    for (index, layer) in report["layers"].as_array().unwrap().iter().enumerate() {
        for name in ["diffId", "digest", "mediaType", "command"] {
            assert!(layer[name].is_string(), "layers[{index}].{name} is {}", layer[name]);
        }
        for name in ["unpackedBytes", "compressedBytes", "entries", "added", "modified", "removed"] {
            assert!(layer[name].is_u64(), "layers[{index}].{name} is {}", layer[name]);
        }
    }
    for name in ["unpackedBytes", "compressedBytes", "fileBytes", "wastedBytes"] {
        assert!(report["figures"][name].is_u64(), "figures.{name} is {}", report["figures"][name]);
    }
    for name in ["efficiency", "userWastedPercent"] {
        assert!(report["figures"][name].is_f64(), "figures.{name} is {}", report["figures"][name]);
    }
    assert_eq!(report["layers"][0]["entries"], 12);
    assert_eq!(report["layers"][1]["modified"], 1);
    assert_eq!(report["layers"][1]["added"], 1);
    assert_eq!(report["layers"][1]["command"], "step 1");
}

#[test]
fn the_same_image_gives_the_same_report() {
    let place = root();
    for format in ["text", "json", "markdown", "html"] {
        let arguments = ["inspect", place.image(), "--format", format];
        assert_eq!(run(&arguments).done().text(), run(&arguments).done().text(), "{format}");
    }
}

#[test]
fn text_is_the_default_and_what_a_pipe_gets() {
    let place = root();
    let text = run(&["inspect", place.image(), "--format", "text"]).done();
    assert_eq!(run(&["inspect", place.image()]).done().text(), text.text());
    assert_eq!(run(&[place.image()]).done().text(), text.text());
    for part in ["linux/", "step 0", "step 1", "Efficiency", "etc/config"] {
        assert!(text.text().contains(part), "{part} in {}", text.text());
    }
    let markdown = run(&["inspect", place.image(), "--format", "markdown"]).done();
    assert!(markdown.text().starts_with("## "), "{}", markdown.text());
    assert!(markdown.text().contains("| --- |"), "{}", markdown.text());
}

#[test]
fn dives_export_goes_into_a_file() {
    let place = root();
    run(&[place.image(), "--json", &place.text("export.json")]).done();
    let export: Value = serde_json::from_slice(&std::fs::read(place.path("export.json")).unwrap()).unwrap();
    assert_eq!(export["layer"].as_array().unwrap().len(), 2);
    assert!(export["image"]["efficiencyScore"].is_f64(), "{export}");
    let message = run(&[place.image(), "--json", &place.text("no/such/directory.json")]).refused();
    assert!(message.contains("no/such/directory.json"), "{message}");
}

#[test]
fn a_configuration_without_its_optional_fields() {
    let mut image = Image::new(sample_layers());
    image.config = json!({});
    let place = Place::of_image(&image);
    let report = run(&["inspect", place.image(), "--format", "json"]).done();
    let report: Value = serde_json::from_str(report.text()).unwrap();
    assert_eq!(report["platform"], json!({"os": null, "architecture": null, "variant": null}));
    assert_eq!(report["layers"][0]["command"], "(missing)");
    assert_eq!(report["layers"][0]["diffIdCheck"], "notGiven");
    for format in ["text", "markdown", "html"] {
        run(&["inspect", place.image(), "--format", format]).done();
    }
}

#[test]
fn large_plain_layers_are_held_against_their_diff_ids_when_asked() {
    let tar = Tar::new().file("large", vec![7; 17 << 20]).finish();
    let right = Image::new(vec![tar]);
    let mut wrong = right.clone();
    wrong.config["rootfs"]["diff_ids"][0] = format!("sha256:{}", "0".repeat(64)).into();
    for (image, verified) in [(right, "matches"), (wrong, "differs")] {
        let place = Place::of_image(&image);
        for (arguments, expected) in [(&[][..], "notChecked"), (&["--verify"], verified)] {
            let arguments = [&["inspect", place.image(), "--format", "json"], arguments].concat();
            let report: Value = serde_json::from_str(run(&arguments).printed().text()).unwrap();
            assert_eq!(report["layers"][0]["diffIdCheck"], expected);
            assert_eq!(report["complete"], expected != "differs");
        }
    }
}

#[test]
fn more_history_or_fewer_diff_ids_than_layers() {
    for (history, diff_ids) in [(0, 2), (1, 2), (5, 2), (2, 0), (2, 1), (2, 9)] {
        let mut image = Image::new(sample_layers());
        image.config["history"] = (0..history).map(|_| json!({"created_by": "x"})).collect();
        let known = image.config["rootfs"]["diff_ids"].as_array().unwrap().clone();
        image.config["rootfs"]["diff_ids"] = (0..diff_ids).map(|number| known[number % 2].clone()).collect();
        let place = Place::of_image(&image);
        let report = run(&["inspect", place.image(), "--format", "json"]).printed();
        let report: Value = serde_json::from_str(report.text()).unwrap();
        let odd = (history != 0 && history != 2) || diff_ids != 2;
        assert_eq!(
            !report["warnings"].as_array().unwrap().is_empty(),
            odd,
            "{history} {diff_ids}: {}",
            report["warnings"]
        );
    }
}

#[test]
fn findings_are_there_where_they_are_asked_for_and_show_no_secret() {
    let secret = "correct-horse-battery";
    let layer = Tar::new().file("srv/.env", &*format!("DB_PASSWORD={secret}\n")).file("var/log/a", vec![7; 20_000]);
    let mut image = Image::new(vec![layer.finish()]);
    image.config["config"]["Env"] = json!([format!("API_TOKEN={secret}")]);
    let place = Place::of_image(&image);
    let plain: Value =
        serde_json::from_str(run(&["inspect", place.image(), "--format", "json"]).done().text()).unwrap();
    assert_eq!((&plain["findings"], &plain["reclaimableBytes"]), (&Value::Null, &Value::Null));
    for format in ["text", "json", "markdown", "html"] {
        let report = run(&["inspect", place.image(), "--findings", "--format", format]).done();
        assert!(!report.text().contains(secret), "{}", report.text());
        for id in ["image.secret-in-environment", "image.password-in-file", "image.temporary-files"] {
            assert!(report.text().contains(id), "{id} in {}", report.text());
        }
    }
    let report = run(&["inspect", place.image(), "--findings", "--format", "json"]).done();
    let report: Value = serde_json::from_str(report.text()).unwrap();
    assert_eq!(report["reclaimableBytes"], 20_000);
    let logs = &report["findings"][0];
    assert_eq!(
        (&logs["id"], &logs["bytes"], &logs["count"]),
        (&json!("image.temporary-files"), &json!(20_000), &json!(1))
    );
    let evidence = &logs["evidence"][0];
    assert_eq!(
        (&evidence["kind"], &evidence["path"], &evidence["layer"]),
        (&json!("file"), &json!("/var/log"), &json!(0))
    );
}
