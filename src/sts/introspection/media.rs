//! Selects the form of the response from the Accept field (RFC 9110 §12.5.1).

use http::HeaderValue;

/// The media type of a plain response.
pub(super) const JSON: &str = "application/json";
/// The media type of a signed response (RFC 9701 §4).
pub(super) const SIGNED: &str = "application/token-introspection+jwt";

/// The form of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Signed,
}

impl Form {
    /// Returns `Signed` if the field lists the signed type and does not give the plain type a higher weight. Wildcards
    /// do not count.
    pub(super) fn asked_for(accept: Option<&HeaderValue>) -> Self {
        let Some(accept) = accept.and_then(|accept| accept.to_str().ok()) else {
            return Self::Plain;
        };
        let weight = |wanted: &str| {
            let ranges = accept.split(',').filter_map(range);
            ranges
                .filter(|(name, _)| name.eq_ignore_ascii_case(wanted))
                .map(|(_, weight)| weight)
                .max()
        };
        match (weight(SIGNED), weight(JSON).unwrap_or(0)) {
            (Some(signed), plain) if signed > 0 && signed >= plain => Self::Signed,
            _ => Self::Plain,
        }
    }
}

/// Returns a media range and its weight in thousandths, or `None` if the weight is invalid.
fn range(text: &str) -> Option<(&str, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next()?;
    let weight = parts.find_map(|parameter| {
        parameter
            .strip_prefix("q=")
            .or_else(|| parameter.strip_prefix("Q="))
    });
    match weight {
        None => Some((name, 1_000)),
        Some(weight) => Some((name, thousandths(weight)?)),
    }
}

/// `( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )`
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|digit| digit.is_ascii_digit());
    let fraction: u16 = format!("{fraction:0<3}").parse().ok().filter(|_| digits)?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_signed_where_that_is_asked_for_by_its_name() {
        let form = |accept: &'static str| Form::asked_for(Some(&HeaderValue::from_static(accept)));
        for accept in [
            "application/token-introspection+jwt",
            "Application/Token-Introspection+JWT",
            "application/json;q=0.5, application/token-introspection+jwt;q=0.5",
            "text/html, application/token-introspection+jwt; q=0.001, */*",
        ] {
            assert_eq!(form(accept), Form::Signed, "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "application/*",
            "application/json",
            "application/jwt",
            "application/token-introspection+jwt;q=0",
            "application/token-introspection+jwt;q=0.000",
            "application/token-introspection+jwt;q=2",
            "application/token-introspection+jwt;q=0.1, application/json",
            "application/token-introspection+jwtx",
        ] {
            assert_eq!(form(accept), Form::Plain, "{accept}");
        }
        assert_eq!(Form::asked_for(None), Form::Plain);
    }
}
