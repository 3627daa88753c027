use super::*;

fn head(text: &str) -> Result<Option<WireHead>, GateError> {
    read(text.as_bytes())
}

fn body(fields: &str) -> Result<BodyLength, GateError> {
    let text = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    head(&text).map(|head| head.unwrap().body)
}

#[test]
fn a_plain_head_ends_at_its_empty_line() {
    let text = "GET /a?b HTTP/1.1\r\nHost: a\r\nX: \t1 \r\nY:\r\n\r\n";
    for begin in ["", "\r\n", "\r\n\r\n"] {
        let text = format!("{begin}{text}rest\r\n\r\n");
        let found = head(&text).unwrap().unwrap();
        assert_eq!(found.end, text.len() - "rest\r\n\r\n".len());
        assert_eq!(found.body, BodyLength::Bytes(0));
        assert_eq!(found.absolute, None);
    }
    for end in 0..text.len() {
        assert_eq!(head(&text[..end]), Ok(None), "{end}");
    }
}

#[test]
fn a_request_line_is_method_target_and_version_between_single_spaces() {
    for line in [
        "GET",
        "GET /",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET / a HTTP/1.1",
        "GET\t/ HTTP/1.1",
        " GET / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET / http/1.1",
        "GET / HTTP/1.2",
        "GET / HTTP/0.9",
        "GET / HTTP/2.0",
        "GET / HTTP/1.10",
        "GET / HTTP/11",
        "GET / HTTPS/1.1",
        "get / HTTP/1.1",
        "Get / HTTP/1.1",
        "G(T / HTTP/1.1",
        "G\u{c9}T / HTTP/1.1",
        "/ HTTP/1.1",
        "GET HTTP/1.1",
        "GET /a\tb HTTP/1.1",
        "GET /a\u{7f}b HTTP/1.1",
        "GET /\0 HTTP/1.1",
        "PRI * HTTP/2.0",
    ] {
        let found = head(&format!("{line}\r\nHost: a\r\n\r\n"));
        let refused = Err(GateError::MalformedHead(HeadFault::RequestLine));
        assert_eq!(found, refused, "{line:?}");
    }
    for (target, fault) in [
        ("/#", HeadFault::Target),
        ("/a?b#c", HeadFault::Target),
        ("a", HeadFault::Target),
        ("a.example:80", HeadFault::Target),
        ("?a", HeadFault::Target),
        ("ftp://a/", HeadFault::Target),
        ("http:/a", HeadFault::Target),
        ("//a", HeadFault::Target),
        ("/a<", HeadFault::TargetCharacter),
        ("/a`", HeadFault::TargetCharacter),
        ("/?a>1", HeadFault::TargetCharacter),
        ("/?a=\"b\"", HeadFault::TargetCharacter),
    ] {
        let found = head(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        if target == "//a" {
            // the gate checks this path later
            assert!(found.is_ok());
        } else {
            assert_eq!(found, Err(fault.into()), "{target}");
        }
    }
    for target in ["/?{}|^`[]\\'", "/a{\"b\"}|^[]", "/?caf\u{e9}", "*"] {
        assert!(
            head(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).is_ok(),
            "{target}"
        );
    }
}

#[test]
fn every_line_ends_in_cr_lf() {
    for text in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\nX: a\rb\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\r\r\nHost: a\r\n\r\n",
        "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        assert_eq!(head(text), Err(HeadFault::LineEnd.into()), "{text:?}");
    }
}

#[test]
fn a_field_is_a_token_a_colon_and_text_on_one_line() {
    for (line, fault) in [
        (" X: a", HeadFault::Folded),
        ("\tX: a", HeadFault::Folded),
        (": a", HeadFault::FieldName),
        ("X : a", HeadFault::FieldName),
        ("X\t: a", HeadFault::FieldName),
        ("X", HeadFault::FieldName),
        ("X Y: a", HeadFault::FieldName),
        ("X(: a", HeadFault::FieldName),
        ("X\0: a", HeadFault::FieldName),
        ("X\u{e9}: a", HeadFault::FieldName),
        ("X: a\0b", HeadFault::Control),
        ("X: a\u{b}b", HeadFault::Control),
        ("X: a\u{7f}", HeadFault::Control),
        ("X: \u{1b}[0m", HeadFault::Control),
    ] {
        for text in [
            format!("GET / HTTP/1.1\r\n{line}\r\nHost: a\r\n\r\n"),
            format!("GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n"),
        ] {
            assert_eq!(head(&text), Err(fault.into()), "{text:?}");
        }
    }
    assert!(body("X: caf\u{e9}\t\"\r\n").is_ok());
}

#[test]
fn a_length_is_one_plain_number() {
    for (length, bytes) in [
        ("0", 0),
        ("5", 5),
        (" 12\t", 12),
        ("999999999999999999", 999_999_999_999_999_999),
    ] {
        let fields = format!("content-LENGTH:{length}\r\n");
        assert_eq!(body(&fields), Ok(BodyLength::Bytes(bytes)), "{length:?}");
    }
    for length in [
        "",
        " ",
        "+5",
        "-5",
        "5 5",
        "5,5",
        "5, 5",
        "5;",
        "0x5",
        "5.0",
        "5e0",
        "05",
        "00",
        "\"5\"",
        "five",
        "1000000000000000000",
        "18446744073709551621",
        "\u{665}",
    ] {
        let fields = format!("Content-Length: {length}\r\n");
        assert_eq!(
            body(&fields),
            Err(HeadFault::ContentLength.into()),
            "{length:?}"
        );
    }
    for fields in [
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nX: y\r\ncontent-length: 6\r\n",
        "Content-Length:\r\nContent-Length: 5\r\n",
    ] {
        assert_eq!(
            body(fields),
            Err(HeadFault::ContentLength.into()),
            "{fields:?}"
        );
    }
}

#[test]
fn a_coding_is_exactly_chunked_and_stands_alone() {
    for coding in ["chunked", "Chunked", "CHUNKED", " \tchunked "] {
        let fields = format!("Transfer-Encoding:{coding}\r\n");
        assert_eq!(body(&fields), Ok(BodyLength::Chunked), "{coding:?}");
    }
    for coding in [
        "",
        "identity",
        "gzip",
        "gzip, chunked",
        "identity, chunked",
        "chunked, identity",
        "chunked, chunked",
        "chunked,",
        ",chunked",
        "chunked;q=1",
        "\"chunked\"",
        "xchunked",
        "chunkedx",
        "chun ked",
        "chunked\u{a0}",
    ] {
        let fields = format!("Transfer-Encoding: {coding}\r\n");
        assert_eq!(
            body(&fields),
            Err(HeadFault::TransferCoding.into()),
            "{coding:?}"
        );
    }
    let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
    assert_eq!(body(twice), Err(HeadFault::TransferCoding.into()));
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "transfer-encoding: identity\r\ncontent-length: 0\r\n",
    ] {
        assert_eq!(
            body(fields),
            Err(HeadFault::LengthAndCoding.into()),
            "{fields:?}"
        );
    }
    let old = "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(head(old), Err(HeadFault::TransferCoding.into()));
}

#[test]
fn a_target_in_absolute_form_gives_its_path_where_its_authority_is_the_host() {
    for (line, host, path) in [
        (
            "GET http://a.example/x?y=1 HTTP/1.1",
            "a.example",
            "GET /x?y=1 HTTP/1.1",
        ),
        (
            "GET HTTP://A.example:80/x HTTP/1.0",
            "a.EXAMPLE",
            "GET /x HTTP/1.0",
        ),
        (
            "GET https://a.example HTTP/1.1",
            "a.example:443",
            "GET / HTTP/1.1",
        ),
        (
            "GET http://[::1]:81?q HTTP/1.1",
            "[::1]:81",
            "GET /?q HTTP/1.1",
        ),
        (
            "OPTIONS http://a.example HTTP/1.1",
            "a.example",
            "OPTIONS * HTTP/1.1",
        ),
        (
            "OPTIONS http://a.example/ HTTP/1.1",
            "a.example",
            "OPTIONS / HTTP/1.1",
        ),
    ] {
        let text = format!("\r\n{line}\r\nHost: {host}\r\n\r\nbody");
        let found = head(&text).unwrap().unwrap();
        let absolute = found.absolute.clone().unwrap();
        let respelled = found.in_origin_form(text.as_bytes(), &absolute);
        let wanted = format!("\r\n{path}\r\nHost: {host}\r\n\r\n");
        assert_eq!(String::from_utf8(respelled).unwrap(), wanted);
    }
    for (target, host, refusal) in [
        (
            "http://a.example/",
            "b.example",
            GateError::AuthorityMismatch,
        ),
        (
            "http://a.example:8080/",
            "a.example",
            GateError::AuthorityMismatch,
        ),
        (
            "https://a.example/",
            "a.example:80",
            GateError::AuthorityMismatch,
        ),
        (
            "http://u@a.example/",
            "a.example",
            HostFault::Malformed.into(),
        ),
        (
            "http://a.example\\@b/",
            "a.example",
            HostFault::Malformed.into(),
        ),
        ("http:///x", "a.example", HostFault::Missing.into()),
        ("http://a.example/", "", HostFault::Missing.into()),
    ] {
        let text = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(head(&text), Err(refusal), "{target} {host}");
    }
    let without = "GET http://a.example/ HTTP/1.1\r\n\r\n";
    assert_eq!(head(without), Err(HostFault::Missing.into()));
}

#[test]
fn more_than_one_host_and_more_fields_than_are_read_are_refused() {
    let twice = "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n";
    assert_eq!(head(twice), Err(HostFault::Several.into()));
    let many = |count| format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(count));
    assert!(head(&many(MOST_FIELDS)).is_ok());
    assert_eq!(head(&many(MOST_FIELDS + 1)), Err(GateError::TooManyFields));
}

#[test]
fn the_method_is_named_where_there_is_one() {
    assert_eq!(method_of(b"\r\nHEAD /a b HTTP/1.1\r\n"), Some("HEAD"));
    assert_eq!(method_of(b"head / HTTP/1.1\r\n"), None);
    assert_eq!(method_of(b"GET"), None);
    assert_eq!(method_of(b""), None);
    assert_eq!(method_of(&[b'A'; 100]), None);
}

#[test]
fn a_target_whose_bytes_are_no_text_is_refused() {
    for bytes in [
        &b"\xe9"[..],
        b"\xc3",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xff\xfe",
    ] {
        for begin in [&b"GET /?q="[..], b"GET /"] {
            let text = [begin, bytes, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
            assert_eq!(
                read(&text),
                Err(HeadFault::TargetCharacter.into()),
                "{bytes:?}"
            );
        }
    }
}

#[test]
fn the_only_expectation_is_100_continue() {
    for sound in ["100-continue", "100-Continue", "\t100-CONTINUE "] {
        assert!(body(&format!("Expect:{sound}\r\n")).is_ok(), "{sound}");
    }
    for fields in [
        "Expect:\r\n",
        "Expect: x\r\n",
        "Expect: 200-ok\r\n",
        "Expect: y 100-continue\r\n",
        "Expect: 100-continue, x\r\n",
        "Expect: 100-continue\r\nEXPECT: 100-continue\r\n",
    ] {
        assert_eq!(body(fields), Err(HeadFault::Expectation.into()), "{fields}");
    }
}

#[test]
fn a_head_without_bytes_of_its_own_is_held_to_the_same_forms() {
    let checked = |method: &str, target: &str, fields: &[(&str, &str)]| {
        let mut request = http::Request::builder().method(method).uri(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        check_parsed(&request.body(()).unwrap().into_parts().0)
    };
    for (method, target, fields) in [
        ("GET", "/", &[][..]),
        ("GET", "http://a/", &[]),
        ("M-SEARCH", "https://a/", &[]),
        ("POST", "/", &[("content-length", "0")]),
        ("POST", "/", &[("expect", "100-continue")]),
    ] {
        assert_eq!(checked(method, target, fields), Ok(()), "{method} {target}");
    }
    for (method, target, fields, fault) in [
        ("get", "/", &[][..], HeadFault::RequestLine),
        ("G!T", "/", &[], HeadFault::RequestLine),
        ("GET", "ftp://a/", &[], HeadFault::Target),
        (
            "GET",
            "/",
            &[("content-length", "")],
            HeadFault::ContentLength,
        ),
        (
            "GET",
            "/",
            &[("content-length", "03")],
            HeadFault::ContentLength,
        ),
        (
            "GET",
            "/",
            &[("content-length", "+3")],
            HeadFault::ContentLength,
        ),
        (
            "GET",
            "/",
            &[("content-length", "3, 3")],
            HeadFault::ContentLength,
        ),
        (
            "GET",
            "/",
            &[("content-length", "3"), ("content-length", "3")],
            HeadFault::ContentLength,
        ),
        ("GET", "/", &[("expect", "x")], HeadFault::Expectation),
        ("GET", "/", &[("expect", "")], HeadFault::Expectation),
    ] {
        assert_eq!(
            checked(method, target, fields),
            Err(fault.into()),
            "{method} {target} {fields:?}"
        );
    }
    assert_eq!(
        checked("CONNECT", "a:1", &[]),
        Err(GateError::MethodNotForwarded)
    );
}
