//! Lines and columns of paths.

use obo_gateway::config::{Document, Mark};
use obo_gateway::settings::{ConfigPath, Segment};

fn find(text: &str, path: &[&str]) -> (usize, usize) {
    let document = Document::parse("gateway.yaml", text).unwrap();
    let Mark { line, column } = document.marks().find(&config_path(path));
    (line, column)
}

fn config_path(path: &[&str]) -> ConfigPath {
    path.iter().fold(ConfigPath::default(), |at, step| {
        at.join(match step.parse::<usize>() {
            Ok(index) => Segment::Index(index),
            Err(_) => Segment::Key((*step).to_owned()),
        })
    })
}

const BLOCK: &str = "\
# comment
routes:
  - name: orders
    exchange:
      audience: a
  - name: |
      several
      lines
    exchange: { audience: b, scope: { allow: [x, 'y'] } }
    \"quoted key\": 1
últimó: { ñandú: 1, z: 2 }
";

#[test]
fn keys_in_block_style_are_found() {
    assert_eq!(find(BLOCK, &["routes"]), (2, 1));
    assert_eq!(find(BLOCK, &["routes", "0"]), (3, 5));
    assert_eq!(
        find(BLOCK, &["routes", "0", "exchange", "audience"]),
        (5, 7)
    );
}

#[test]
fn what_follows_a_text_of_several_lines_is_found() {
    assert_eq!(find(BLOCK, &["routes", "1", "name"]), (6, 5));
    assert_eq!(find(BLOCK, &["routes", "1", "exchange"]), (9, 5));
    assert_eq!(find(BLOCK, &["routes", "1", "quoted key"]), (10, 5));
}

#[test]
fn keys_and_items_in_flow_style_are_found() {
    let allow = ["routes", "1", "exchange", "scope", "allow"];
    assert_eq!(find(BLOCK, &allow), (9, 39));
    assert_eq!(find(BLOCK, &[&allow[..], &["1"]].concat()), (9, 50));
}

#[test]
fn columns_count_characters() {
    assert_eq!(find(BLOCK, &["últimó", "ñandú"]), (11, 11));
    assert_eq!(find(BLOCK, &["últimó", "z"]), (11, 21));
}

#[test]
fn what_is_missing_is_placed_at_its_nearest_parent() {
    assert_eq!(
        find(BLOCK, &["routes", "0", "exchange", "scope", "allow"]),
        (4, 5)
    );
    assert_eq!(find(BLOCK, &["routes", "7", "name"]), (2, 1));
    assert_eq!(find(BLOCK, &["issuer"]), (2, 1));
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_move_nothing() {
    let text = "\u{feff}# c\r\na:\r\n  b: 1\r\n";
    assert_eq!(find(text, &["a", "b"]), (3, 3));
}

#[test]
fn a_value_is_found_apart_from_its_key() {
    let document = Document::parse("gateway.yaml", "cache:\n  max_size: 1GiB\n").unwrap();
    let mark = document
        .marks()
        .find_value(&config_path(&["cache", "max_size"]));
    assert_eq!((mark.line, mark.column), (2, 13));
}
