//! The handling of `authorization_details` (RFC 9396) in presented tokens. They restrict a token, so a token that is
//! issued without them would grant more.

use super::PolicyError;
use crate::{settings::fingerprint, token::Claims};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The claim, and the request parameter (RFC 9396 §2, §9.1).
pub const AUTHORIZATION_DETAILS: &str = "authorization_details";

/// What to do with a token that carries `authorization_details`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DetailsRule {
    /// Refuse the token.
    #[default]
    Refuse,
    /// Copy the details unchanged into the issued token and into introspection responses.
    Copy,
}

fingerprint!(DetailsRule = Refuse | Copy);

impl DetailsRule {
    /// Returns the details of the issued token: those of the `tokens` that it is made from. Two tokens with different
    /// details cannot be combined.
    ///
    /// # Errors
    /// [`PolicyError::AuthorizationDetails`], also for details that do not follow RFC 9396 §2, because no API could
    /// apply them.
    pub(super) fn carried<'a>(
        self,
        tokens: impl IntoIterator<Item = &'a Claims>,
    ) -> Result<Option<Value>, PolicyError> {
        let mut carried: Option<&Value> = None;
        let found = tokens
            .into_iter()
            .filter_map(|claims| claims.get(AUTHORIZATION_DETAILS));
        for details in found {
            let contradicts = carried.is_some_and(|other| other != details);
            if self == Self::Refuse || contradicts || !is_well_formed(details) {
                return Err(PolicyError::AuthorizationDetails);
            }
            carried = Some(details);
        }
        Ok(carried.cloned())
    }
}

/// RFC 9396 §2: a list of objects, each with a string `type`. An empty list is refused, because its meaning is unclear.
fn is_well_formed(details: &Value) -> bool {
    let has_type = |detail: &Value| {
        let kind = detail.as_object().and_then(|members| members.get("type"));
        kind.and_then(Value::as_str)
            .is_some_and(|kind| !kind.is_empty())
    };
    let list = details.as_array();
    list.is_some_and(|list| !list.is_empty() && list.iter().all(has_type)) && is_exact(details)
}

/// Returns `true` if every number is written exactly as it was read. Very large integers would change.
fn is_exact(value: &Value) -> bool {
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => {
            let whole = number.is_i64() || number.is_u64();
            whole || number.as_f64().is_some_and(|number| number.abs() < LARGEST)
        }
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Limits;
    use serde_json::json;

    fn claims(details: &str) -> Claims {
        let json = format!(r#"{{"authorization_details":{details}}}"#);
        Claims::parse(json.as_bytes(), Limits::TOKEN).unwrap()
    }

    fn none() -> Claims {
        Claims::parse(b"{}", Limits::TOKEN).unwrap()
    }

    const PAYMENT: &str =
        r#"[{"type":"payment","actions":["read"],"amount":{"value":"123.50","limit":50.5}}]"#;

    #[test]
    fn they_are_carried_unchanged_or_the_token_is_refused() {
        let (payment, none) = (claims(PAYMENT), none());
        let refused = Err(PolicyError::AuthorizationDetails);
        assert_eq!(DetailsRule::Refuse.carried([&none, &none]), Ok(None));
        assert_eq!(DetailsRule::Copy.carried([&none, &none]), Ok(None));
        for tokens in [[&payment, &none], [&none, &payment], [&payment, &payment]] {
            assert_eq!(DetailsRule::Refuse.carried(tokens), refused);
            let carried = DetailsRule::Copy.carried(tokens).unwrap();
            assert_eq!(carried.as_ref(), payment.get(AUTHORIZATION_DETAILS));
        }
        let other = claims(r#"[{"type":"payment","actions":["write"]}]"#);
        assert_eq!(DetailsRule::Copy.carried([&payment, &other]), refused);
    }

    #[test]
    fn what_nobody_could_obey_is_refused_by_either_rule() {
        for details in [
            "null",
            "[]",
            "{}",
            r#""payment""#,
            "1",
            "true",
            r#"{"type":"payment"}"#,
            r#"["payment"]"#,
            "[{}]",
            "[[]]",
            "[null]",
            r#"[{"type":1}]"#,
            r#"[{"type":""}]"#,
            r#"[{"type":"payment"},{}]"#,
            r#"[{"type":"payment","amount":123456789012345678901234567890}]"#,
            r#"[{"type":"payment","amount":{"of":[1e300]}}]"#,
        ] {
            for rule in [DetailsRule::Refuse, DetailsRule::Copy] {
                let refused = Err(PolicyError::AuthorizationDetails);
                assert_eq!(rule.carried([&claims(details)]), refused, "{details}");
            }
        }
        for details in [
            r#"[{"type":"x"}]"#,
            r#"[{"type":"x","n":[1,-1,0.5,18446744073709551615,null,true]},{"type":"y","a":{}}]"#,
        ] {
            let carried = DetailsRule::Copy.carried([&claims(details)]).unwrap();
            let written: Value = serde_json::from_str(details).unwrap();
            assert_eq!(carried, Some(written));
            assert_ne!(carried, Some(json!([])));
        }
    }
}
