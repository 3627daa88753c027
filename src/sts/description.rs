//! The description of the endpoints (OpenAPI 3.1): the file of the repository, with the URL of this gateway instead of
//! a relative one.

use serde_json::Value;

/// The path of the description, below the issuer.
pub(super) const PATH: &str = "/oauth/v2/openapi.json";

const TEXT: &str = include_str!("../../docs/openapi.json");
/// The server URL in the repository's file, relative to the description itself.
const SERVER: &str = r#""url": "../..""#;

/// Returns the description of the endpoints below `issuer`, a URL without a slash at its end.
pub(super) fn of(issuer: &str) -> String {
    TEXT.replacen(SERVER, &format!(r#""url": {}"#, Value::from(issuer)), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_names_the_issuer_as_its_server() {
        let described: Value = serde_json::from_str(&of("https://a.example/x")).unwrap();
        let kept: Value = serde_json::from_str(TEXT).unwrap();
        assert_eq!(described["servers"][0]["url"], "https://a.example/x");
        assert_eq!(described["paths"], kept["paths"]);
    }
}
