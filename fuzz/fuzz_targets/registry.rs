//! What registries answer and users configure: challenges, addresses, dates, base 64, `registries.conf`, `auth.json`. The
//! first byte says which.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nixdive::http::{Address, base64, decode_base64, parse_date};
use nixdive::reference::ImageName;
use nixdive::registry::Challenge;
use nixdive::source_fuzzing::{auth_json, registries_conf};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, content)) = bytes.split_first() else { return };
    let text = String::from_utf8_lossy(content);
    match first % 6 {
        0 => {
            for challenge in Challenge::parse(&text) {
                assert!(challenge.scheme.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()));
            }
        }
        1 => {
            let Some(address) = Address::parse(&text) else { return };
            assert_eq!(Address::parse(&address.url()), Some(address.clone()));
            assert!(!address.to_string().contains('?'));
            let home = Address::new(true, "h.example", "/v2/a?b=c");
            assert!(home.join_protected(&text).is_none_or(|joined| joined.is_secure()));
        }
        2 => {
            let _ = parse_date(&text);
        }
        3 => {
            assert_eq!(decode_base64(&base64(content)).as_deref(), Some(content));
            let _ = decode_base64(&text);
        }
        4 => {
            let Ok(configuration) = registries_conf(&text) else { return };
            for name in ["alpine", "h.example/team/app:1"].map(|name| ImageName::parse(name).expect("a name")) {
                let _ = configuration.complete(&name);
                let _ = configuration.places(&name);
            }
        }
        _ => {
            for name in ["alpine", "h.example/team/app:1"].map(|name| ImageName::parse(name).expect("a name")) {
                if let Some(found) = auth_json(content, &name) {
                    // The password never shows.
                    assert!(!format!("{:?}", found.credential).contains("password: \""));
                }
            }
        }
    }
});
