//! The endpoints, described for programs and people (OpenAPI 3.1): the text that the repository keeps, with the URL of this
//! gateway in the place of a relative one.

use serde_json::Value;

/// Where the description is, below the issuer.
pub(super) const PATH: &str = "/oauth/v2/openapi.json";

const TEXT: &str = include_str!("../../docs/openapi.json");
/// The server as the repository's text names it: relative to the description itself.
const SERVER: &str = r#""url": "../..""#;

/// The description of what stands below `issuer`, a URL without a slash at its end.
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
