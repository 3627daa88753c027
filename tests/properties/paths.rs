//! A path that the gate accepts has one interpretation, and is forwarded unchanged.

use crate::properties::{
    cases,
    routes::{route, table},
};
use http::request::Parts;
use obo_gateway::gate::{Gate, LimitsSettings, check_path};
use proptest::{collection::vec, prelude::*};
use serde_json::json;

/// Segments that are prefixes of each other, and separators that attackers use.
fn any_path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        6 => "(a|ab|abc|b|A|a\\.b|~|@|:|=)",
        2 => "(%20|%C3%A9|%25|%3F|%23)",
        1 => "(\\.|\\.\\.|%2e|%2E%2e|%2f|%2F|%5c|%00|%61|%c0%af|%zz|%|;|a;b|)",
        1 => "[!-~]{0,4}",
    ];
    (vec(segment, 0..5), any::<bool>()).prop_map(|(segments, slash)| {
        let end = if slash { "/" } else { "" };
        format!("/{}{end}", segments.join("/"))
    })
}

fn head(method: &str, target: &str, host: &str) -> Option<Parts> {
    let request = http::Request::builder()
        .method(method)
        .uri(target)
        .header("host", host);
    Some(request.body(()).ok()?.into_parts().0)
}

/// Returns the path as parsed by a server that splits before decoding, and by one that decodes before splitting.
fn readings(path: &str) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let split_first = path
        .split('/')
        .map(|segment| decoded(segment.as_bytes()))
        .collect();
    let decoded = decoded(path.as_bytes());
    let decode_first = decoded
        .split(|&byte| byte == b'/')
        .map(<[u8]>::to_vec)
        .collect();
    (split_first, decode_first)
}

fn decoded(mut text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some((&first, rest)) = text.split_first() {
        let digits = rest
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                text = &rest[2..];
            }
            _ => {
                bytes.push(first);
                text = rest;
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_passes_the_gate_is_forwarded_byte_for_byte(
        path in any_path(),
        query in proptest::option::of("[a-z=&%/?.]{0,12}"),
    ) {
        let query_text = query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let Some(head) = head("GET", &format!("{path}{query_text}"), "api.example.com") else {
            return Ok(());
        };
        let Ok(clean) = Gate::new(&LimitsSettings::default()).pass(&head) else { return Ok(()) };
        // the path ends at the first of these characters
        let sent = path.split(['?', '#']).next().unwrap();
        prop_assert_eq!(clean.path(), sent);
        if sent == path && !query_text.contains('#') {
            prop_assert_eq!(clean.query(), query.as_deref());
        }
        let table = table(vec![route("any", json!({ "prefix": "/" }))]).0;
        let route = table.find(&clean, &head.method).unwrap();
        prop_assert_eq!(route.upstream_path(clean.path()), sent);
    }

    #[test]
    fn what_passes_the_gate_is_one_path_to_every_reader(path in any_path()) {
        if check_path(&path).is_ok() {
            let (split_first, decode_first) = readings(&path);
            prop_assert_eq!(&split_first, &decode_first);
            let last = split_first.len() - 1;
            for (position, segment) in split_first.iter().enumerate() {
                prop_assert!(segment != b"." && segment != b"..", "{path}");
                prop_assert!(!segment.is_empty() || position == 0 || position == last, "{path}");
                let splits = segment.iter().any(|byte| matches!(byte, b';' | b'\\' | 0..=31 | 127));
                prop_assert!(!splits, "{path}");
                prop_assert!(std::str::from_utf8(segment).is_ok(), "{path}");
            }
        }
    }

    #[test]
    fn a_prefix_matches_on_segment_boundaries_alone(
        prefix in "(/(a|ab|abc|b)){1,3}",
        path in "(/(a|ab|abc|b)){1,4}/?",
    ) {
        let table = table(vec![route("one", json!({ "prefix": prefix }))]).0;
        let head = head("GET", &path, "api.example.com").unwrap();
        let clean = Gate::new(&LimitsSettings::default()).pass(&head).unwrap();
        let wanted: Vec<&str> = prefix.split('/').collect();
        let found: Vec<&str> = path.split('/').collect();
        prop_assert_eq!(table.find(&clean, &head.method).is_some(), found.starts_with(&wanted));
    }

    #[test]
    fn rewriting_a_prefix_changes_the_prefix_alone(
        prefix in "(/(a|ab|b)){1,2}",
        rest in "((/(a|ab|b)){1,3})?",
        replacement in "(/|(/(x|y)){1,2})",
    ) {
        let mut settings = route("one", json!({ "prefix": prefix }));
        settings["upstream"]["rewrite_prefix"] = json!(replacement);
        let table = table(vec![settings]).0;
        let path = format!("{prefix}{rest}");
        let rewritten = table.routes()[0].upstream_path(&path).into_owned();
        let joined = format!("{}{rest}", replacement.trim_end_matches('/'));
        prop_assert_eq!(&rewritten, if joined.is_empty() { "/" } else { &joined });
        prop_assert!(check_path(&rewritten).is_ok());
    }
}
