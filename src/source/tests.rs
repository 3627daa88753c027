use super::*;
use http::{HeaderMap, HeaderValue, header};

fn present(fields: &[&str], query: Option<&str>) -> Result<String, SourceError> {
    let mut headers = HeaderMap::new();
    for field in fields {
        headers.append(header::AUTHORIZATION, HeaderValue::from_str(field).unwrap());
    }
    Source::Authorization
        .find(&headers, query, 64)
        .and_then(|credential| credential.token.present())
        .map(|presented| String::from_utf8(presented.token().expose().to_vec()).unwrap())
}

#[test]
fn the_scheme_is_read_in_any_case_and_the_token_as_it_stands() {
    for field in [
        "Bearer a.b-c_d~e+f/g==",
        "bearer a.b-c_d~e+f/g==",
        "BEARER   a.b-c_d~e+f/g==",
    ] {
        assert_eq!(
            present(&[field], None).as_deref(),
            Ok("a.b-c_d~e+f/g=="),
            "{field}"
        );
    }
}

#[test]
fn the_token_of_a_form_has_the_characters_of_a_token_and_no_more_than_the_limit() {
    let token = form_token("oboat_a.b-c", 11).unwrap();
    assert_eq!(token.token().expose(), b"oboat_a.b-c");
    assert_eq!(
        form_token("oboat_a.b-c", 10).unwrap_err(),
        SourceError::TooLong { limit: 10 }
    );
    for text in ["", "a b", "a\n", "a,b", "\u{e4}", "Bearer a"] {
        assert_eq!(
            form_token(text, 64).unwrap_err(),
            SourceError::Malformed,
            "{text:?}"
        );
    }
}

#[test]
fn no_field_and_other_schemes_are_no_credentials() {
    assert_eq!(present(&[], None), Err(SourceError::NoCredentials));
    for field in ["Basic YTpi", "Bearerx a", "DPoP a.b.c", "a.b.c", ""] {
        assert_eq!(
            present(&[field], None),
            Err(SourceError::NoCredentials),
            "{field}"
        );
    }
}

#[test]
fn what_follows_bearer_must_be_one_token() {
    for field in [
        "Bearer",
        "Bearer ",
        "Bearer\ta",
        "Bearer a b",
        "Bearer \"a\"",
        "Bearer a,b",
        "Bearer =a",
        "Bearer a=b",
        "Bearer a\t",
        "Bearer token=a",
    ] {
        assert_eq!(
            present(&[field], None),
            Err(SourceError::Malformed),
            "{field}"
        );
    }
}

#[test]
fn two_fields_are_refused_even_when_they_are_equal() {
    assert_eq!(
        present(&["Bearer a", "Bearer a"], None),
        Err(SourceError::Several)
    );
    assert_eq!(
        present(&["Basic a", "Bearer a"], None),
        Err(SourceError::Several)
    );
}

#[test]
fn a_token_in_the_query_is_refused_however_its_name_is_written() {
    for query in [
        "access_token=a",
        "x=1&access_token=a",
        "access%5Ftoken=a",
        "%61ccess_token",
        "x;access_token=1",
        "Access_Token=1",
    ] {
        assert_eq!(
            present(&["Bearer a"], Some(query)),
            Err(SourceError::InQuery),
            "{query}"
        );
    }
    assert!(
        present(
            &["Bearer a"],
            Some("my_access_token=a&access_tokens=b&x=access_token")
        )
        .is_ok()
    );
}

#[test]
fn every_word_that_may_be_a_token_is_recognised_whatever_stands_around_it() {
    let (first, second) = ("a1".repeat(20), "b2".repeat(20));
    for field in [
        format!("Bearer {first}, Other x=\"{second}\""),
        format!("{first}\t{second} "),
        format!("Bearer {second};{first}"),
    ] {
        let mut headers = HeaderMap::new();
        headers.append(header::AUTHORIZATION, "Basic YTpi".parse().unwrap());
        headers.append(header::AUTHORIZATION, field.parse().unwrap());
        let needles = needles(&headers).unwrap();
        for token in [&first, &second] {
            let found = needles.iter().any(|needle| needle.is_in(token.as_bytes()));
            assert!(found, "{field}");
        }
    }
    let mut headers = HeaderMap::new();
    headers.append(
        header::AUTHORIZATION,
        format!("{first} ").repeat(9).parse().unwrap(),
    );
    assert_eq!(needles(&headers).err(), Some(SourceError::Several));
}

#[test]
fn a_token_over_the_limit_is_too_long() {
    let field = format!("Bearer {}", "a".repeat(65));
    assert_eq!(
        present(&[&field], None),
        Err(SourceError::TooLong { limit: 64 })
    );
}
