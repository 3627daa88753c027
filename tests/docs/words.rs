//! Words that documents, comments and messages do not use, so that everything reads in the field's own terms.
//!
//! Prose is every page but for its code, every comment in `src/`, and every text in a string literal that has a space in
//! it, which operators and clients read.

use super::files::{collect, pages, path, text};

/// Each with the word to write instead. A word ends where its letters end.
const RULED_OUT: [(&str, &str); 24] = [
    ("mend", "fix"),
    ("mends", "fixes"),
    ("mended", "fixed"),
    ("whoever", "the caller, the operator, anyone who"),
    ("whomever", "anyone whom"),
    ("nobody", "no client, no process, or the passive"),
    ("somebody", "another client, another user"),
    ("somebody's", "another client's, another user's"),
    ("what enters", "takes"),
    ("what leaves", "returns"),
    ("comes of it", "is derived from it"),
    ("comes of them", "is derived from them"),
    ("downstream", "upstream, for the API behind the gateway"),
    ("downstreams", "upstreams"),
    ("the answer", "the response"),
    ("an answer", "a response"),
    ("answers with", "responds with"),
    ("is answered with", "gets"),
    ("lives too long", "exceeds the maximum lifetime"),
    ("legal and unwise", "a configuration warning"),
    ("what to be woken by", "recommended alerts"),
    ("in whose place", "whom it may impersonate"),
    ("has come to its end", "has expired"),
    ("goes without saying", "is implied"),
];

/// The prose of a page: each line with its number, without code.
fn prose(page: &str) -> Vec<(usize, String)> {
    let (mut lines, mut in_code) = (Vec::new(), false);
    for (number, line) in page.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            lines.push((number + 1, without_code(line)));
        }
    }
    lines
}

/// A line without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// The comment of a line of Rust, and the texts in it that have a space.
fn read_by_people(line: &str) -> String {
    let comment = match line.trim_start() {
        whole if whole.starts_with("//") => return without_code(whole),
        _ => line.split_once(" // ").map_or("", |(_, comment)| comment),
    };
    let code = line.split_once(" // ").map_or(line, |(code, _)| code);
    let texts = code.split('"').skip(1).step_by(2);
    let texts = texts.filter(|text| text.contains(' '));
    without_code(&texts.chain([comment]).collect::<Vec<_>>().join(" "))
}

/// The words of the list that are in `line`, with what to write instead.
fn ruled_out(line: &str) -> Vec<(&'static str, &'static str)> {
    let line = format!(" {} ", line.to_lowercase());
    let is_letter = |letter: Option<char>| {
        letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    };
    let found = |word: &str| {
        line.match_indices(word).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + word.len()..].chars().next();
            !is_letter(before) && !is_letter(after)
        })
    };
    let words = RULED_OUT.into_iter();
    words.filter(|(word, _)| found(word)).collect()
}

fn check(file: &str, lines: impl Iterator<Item = (usize, String)>, found: &mut Vec<String>) {
    for (number, line) in lines {
        for (word, instead) in ruled_out(&line) {
            let line = line.trim();
            found.push(format!(
                "{file}:{number}: {word} (write: {instead}): {line}"
            ));
        }
    }
}

#[test]
fn pages_and_comments_and_messages_use_the_fields_own_words() {
    let mut found = Vec::new();
    for page in pages() {
        check(&page, prose(&text(&page)).into_iter(), &mut found);
    }
    let mut sources = Vec::new();
    collect(&path("src"), "rs", &mut sources);
    assert!(sources.len() > 200, "the source was not found");
    for source in sources {
        let source_text = text(&source);
        let lines = source_text.lines().enumerate();
        check(
            &source,
            lines.map(|(number, line)| (number + 1, read_by_people(line))),
            &mut found,
        );
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn a_word_is_found_in_prose_and_not_in_code() {
    let ruled_out = |line: &str| -> Vec<&str> {
        let found = ruled_out(line).into_iter();
        found.map(|(word, _)| word).collect()
    };
    assert_eq!(
        ruled_out("Whoever calls gets the answer."),
        ["whoever", "the answer"]
    );
    assert!(ruled_out("The amendment answers.").is_empty());
    assert_eq!(
        prose("a\n```\nmend\n```\n`mend` b"),
        [(1, "a".to_owned()), (5, "  b".to_owned())]
    );
    let line = r#"    findings.error("nobody reads it", MEND); // whoever"#;
    assert_eq!(ruled_out(&read_by_people(line)), ["whoever", "nobody"]);
    assert!(ruled_out(&read_by_people(r#"label("downstream"); let mend = 1;"#)).is_empty());
    assert_eq!(
        ruled_out(&read_by_people("    /// Mends `nobody`.")),
        ["mends"]
    );
}
