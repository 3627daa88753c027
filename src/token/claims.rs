//! JSON objects in tokens, parsed so that no two parsers can interpret them differently.

use crate::clock::UnixTime;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;
use thiserror::Error;

/// The claims of a token. They are not verified: they are what the text says.
#[derive(Clone, PartialEq, Eq)]
pub struct Claims(Map<String, Value>);

/// The limits for parsing JSON.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The maximum number of bytes.
    pub bytes: usize,
    /// The maximum nesting of objects and arrays.
    pub depth: usize,
}

impl Limits {
    /// The limits for a token: 64 KiB and 32 levels.
    pub const TOKEN: Self = Self {
        bytes: 64 << 10,
        depth: 32,
    };
}

/// The reason why a text is not acceptable as claims.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClaimsError {
    /// The text has more bytes than the limit.
    #[error("more than {0} bytes of claims")]
    TooLong(usize),
    /// The text is not one JSON object, has duplicate members, or has too many levels.
    #[error("not a JSON object with unique members and limited depth")]
    NotAnObject,
    /// The claim is missing.
    #[error("the claim {0} is missing")]
    Missing(&'static str),
    /// The claim has the wrong type, or its number is out of range.
    #[error("the claim {0} has the wrong type")]
    WrongType(&'static str),
}

impl Claims {
    /// Parses one JSON object. Duplicate members are refused at every level (RFC 7519 §4).
    ///
    /// # Errors
    /// [`ClaimsError::TooLong`] and [`ClaimsError::NotAnObject`].
    pub fn parse(json: &[u8], limits: Limits) -> Result<Self, ClaimsError> {
        if json.len() > limits.bytes {
            return Err(ClaimsError::TooLong(limits.bytes));
        }
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let value = Distinct {
            depth: limits.depth,
        }
        .deserialize(&mut deserializer)
        .map_err(|_| ClaimsError::NotAnObject)?;
        deserializer.end().map_err(|_| ClaimsError::NotAnObject)?;
        match value {
            Value::Object(map) => Ok(Self(map)),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Err(ClaimsError::NotAnObject),
        }
    }

    /// Returns the claim unchanged.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Returns the claim at a path of member names separated by dots, for example `realm_access.roles`.
    ///
    /// A member whose own name contains the dots (`https://example.com/roles`) takes precedence.
    pub fn at_path(&self, path: &str) -> Option<&Value> {
        if let Some(value) = self.0.get(path) {
            return Some(value);
        }
        let mut members = path.split('.');
        let first = self.0.get(members.next()?)?;
        members.try_fold(first, |value, member| value.as_object()?.get(member))
    }

    /// Returns a string claim, if present.
    ///
    /// # Errors
    /// [`ClaimsError::WrongType`] if it is not a string.
    pub fn text(&self, name: &'static str) -> Result<Option<&str>, ClaimsError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ClaimsError::WrongType(name)),
        }
    }

    /// Returns a required string claim.
    ///
    /// # Errors
    /// [`ClaimsError::Missing`] and [`ClaimsError::WrongType`].
    pub fn required_text(&self, name: &'static str) -> Result<&str, ClaimsError> {
        self.text(name)?.ok_or(ClaimsError::Missing(name))
    }

    /// Returns a `NumericDate` (RFC 7519 §2), if present. It is rounded to a whole second so that the token is never
    /// valid for longer than it says: `exp` is rounded down, and `nbf`, `iat` and `auth_time` are rounded up.
    ///
    /// # Errors
    /// [`ClaimsError::WrongType`] if it is not a number, is negative, or is later than the year 9999.
    pub fn time(&self, name: &'static str) -> Result<Option<UnixTime>, ClaimsError> {
        match name {
            "exp" => self.rounded(name, f64::floor),
            _ => self.rounded(name, f64::ceil),
        }
    }

    /// Returns a `NumericDate`, if present, rounded down to a whole second. Use it for comparisons with the time of a
    /// revocation, which is rounded down too.
    ///
    /// # Errors
    /// Those of [`Self::time`].
    pub fn second_of(&self, name: &'static str) -> Result<Option<UnixTime>, ClaimsError> {
        self.rounded(name, f64::floor)
    }

    fn rounded(
        &self,
        name: &'static str,
        round: fn(f64) -> f64,
    ) -> Result<Option<UnixTime>, ClaimsError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => whole_seconds(number, round)
                .map(|seconds| Some(UnixTime::from_secs(seconds)))
                .ok_or(ClaimsError::WrongType(name)),
            Some(_) => Err(ClaimsError::WrongType(name)),
        }
    }

    /// Returns a claim that is one string or an array of strings, such as `aud` (RFC 7519 §4.1.3). A missing claim is
    /// empty.
    ///
    /// # Errors
    /// [`ClaimsError::WrongType`] if it is neither.
    pub fn one_or_many(&self, name: &'static str) -> Result<Vec<&str>, ClaimsError> {
        match self.0.get(name) {
            None => Ok(Vec::new()),
            Some(value) => strings(value).ok_or(ClaimsError::WrongType(name)),
        }
    }

    /// The claims as a JSON object.
    pub fn as_object(&self) -> &Map<String, Value> {
        &self.0
    }
}

/// 9999-12-31T23:59:59Z. A later date is an error or an attempt to cause an overflow.
const MAX_NUMERIC_DATE: i64 = 253_402_300_799;

/// Rounds a number of seconds, with fraction or exponent, to whole seconds. Returns `None` outside of 1970 to 9999.
fn whole_seconds(number: &Number, round: fn(f64) -> f64) -> Option<i64> {
    if let Some(seconds) = number.as_i64() {
        return (0..=MAX_NUMERIC_DATE).contains(&seconds).then_some(seconds);
    }
    // a whole number that does not fit an i64 is far out of range as an f64 too
    let written = number.as_f64()?;
    #[allow(clippy::cast_precision_loss)] // every whole number below 2^53 is exact as an f64
    let latest = MAX_NUMERIC_DATE as f64;
    let seconds = round(written);
    #[allow(clippy::cast_possible_truncation)] // within these bounds it fits an i64
    (written >= 0.0 && seconds <= latest).then_some(seconds as i64)
}

fn strings(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

impl From<Map<String, Value>> for Claims {
    fn from(map: Map<String, Value>) -> Self {
        Self(map)
    }
}

/// Claims are personal data, so that `Debug` shows their names but not their values.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Claims")?;
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Parses a JSON value and refuses duplicate members and too many levels.
#[derive(Clone, Copy)]
struct Distinct {
    depth: usize,
}

impl Distinct {
    fn inner<E: de::Error>(self) -> Result<Self, E> {
        self.depth
            .checked_sub(1)
            .map(|depth| Self { depth })
            .ok_or_else(|| E::custom("too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Distinct {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Distinct {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value with unique members")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("not a number"))
    }
    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }
    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(inner)?;
            if map.insert(name, value).is_some() {
                return Err(de::Error::custom("duplicate member"));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Claims, ClaimsError> {
        Claims::parse(json.as_bytes(), Limits::TOKEN)
    }

    #[test]
    fn duplicate_members_are_refused_at_every_level() {
        assert!(parse(r#"{"sub":"a","sub":"a"}"#).is_err());
        assert!(parse(r#"{"act":{"sub":"a","sub":"b"}}"#).is_err());
        assert!(parse(r#"{"x":[{"a":1,"a":1}]}"#).is_err());
        assert!(
            parse(r#"{"sub":"a","s\u0075b":"b"}"#).is_err(),
            "escaped names are the same name"
        );
    }

    #[test]
    fn what_is_not_exactly_one_object_is_refused() {
        for json in [
            "",
            "[]",
            "1",
            "null",
            "{}{}",
            "{} x",
            "{\"a\":1,}",
            "{'a':1}",
            "\u{feff}{}",
        ] {
            assert_eq!(parse(json), Err(ClaimsError::NotAnObject), "{json:?}");
        }
        assert!(parse("{} ").is_ok());
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let nested =
            |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(&nested(31)).is_ok());
        assert!(parse(&nested(32)).is_err());
        assert!(parse(&nested(10_000)).is_err());
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(64 << 10));
        assert_eq!(parse(&long), Err(ClaimsError::TooLong(64 << 10)));
    }

    #[test]
    fn a_date_may_have_a_fraction_or_an_exponent_and_never_widens_by_it() {
        let at = |seconds| Ok(Some(UnixTime::from_secs(seconds)));
        for (written, down, up) in [
            ("5", 5, 5),
            ("5.0", 5, 5),
            ("5e0", 5, 5),
            ("0.5e1", 5, 5),
            ("1.5", 1, 2),
            ("1795900000.336421", 1_795_900_000, 1_795_900_001),
            ("1.795900000336421e9", 1_795_900_000, 1_795_900_001),
            ("0.000001", 0, 1),
            ("0", 0, 0),
            ("-0.0", 0, 0),
            ("253402300799", 253_402_300_799, 253_402_300_799),
        ] {
            let claims = format!(r#"{{"exp":{written},"nbf":{written},"iat":{written}}}"#);
            let claims = parse(&claims).unwrap();
            assert_eq!(claims.time("exp"), at(down), "{written}");
            assert_eq!(claims.time("nbf"), at(up), "{written}");
            assert_eq!(claims.time("iat"), at(up), "{written}");
            assert_eq!(claims.second_of("iat"), at(down), "{written}");
        }
        assert_eq!(parse("{}").unwrap().time("exp"), Ok(None));
    }

    #[test]
    fn what_is_no_date_within_reason_is_refused() {
        for written in [
            r#""5""#,
            r#""5.5""#,
            r#""NaN""#,
            "-1",
            "-0.5",
            "-1e-9",
            "null",
            "true",
            "[5]",
            "1e300",
            "253402300799.5",
            "253402300800",
            "9223372036854775807",
            "18446744073709551616",
        ] {
            let claims = parse(&format!(r#"{{"exp":{written},"iat":{written}}}"#)).unwrap();
            let refused = |name| Err(ClaimsError::WrongType(name));
            let late = written == "253402300799.5";
            // rounded down, it is the last valid second
            let exp = claims.time("exp");
            assert!(exp == refused("exp") || late, "{written}: {exp:?}");
            assert_eq!(claims.time("iat"), refused("iat"), "{written}");
        }
        for written in ["NaN", "Infinity", "1e400", "01", ".5", "5.", "+5", "0x5"] {
            assert!(
                parse(&format!(r#"{{"exp":{written}}}"#)).is_err(),
                "{written}"
            );
        }
    }

    #[test]
    fn a_path_reaches_into_objects_and_never_splits_a_name_that_exists() {
        let claims =
            parse(r#"{"realm_access":{"roles":["a"]},"https://x.example/roles":["b"]}"#).unwrap();
        assert!(claims.at_path("realm_access.roles").is_some());
        assert!(claims.at_path("https://x.example/roles").is_some());
        assert!(claims.at_path("realm_access.groups").is_none());
        assert!(claims.at_path("realm_access.roles.x").is_none());
    }

    #[test]
    fn debug_shows_names_and_no_values() {
        let claims = parse(r#"{"email":"alice@example.com"}"#).unwrap();
        assert_eq!(format!("{claims:?}"), r#"Claims{"email"}"#);
    }
}
