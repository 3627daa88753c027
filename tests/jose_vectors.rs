//! Project Wycheproof's vectors for JSON web signatures and keys (Apache-2.0, `vectors/LICENSE.wycheproof`).
//!
//! Every vector marked invalid must be refused. Every vector marked valid must be accepted, unless it is listed with
//! the reason why the gateway refuses it on purpose.

// The lints let tests panic, but not the functions that tests share.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use obo_gateway::{
    jose::{Algorithm, JwkSet, KeyError, UnverifiedJws, VerificationKey, VerifiedJws},
    token::RawToken,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The number of vectors with each result.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    accepted: usize,
    refused: usize,
    refused_though_valid: BTreeMap<&'static str, usize>,
}

/// Verifies the way the gateway does: key set, then form, then key by kid and algorithm, then signature.
fn verify(keys: &Value, jws: &str) -> Result<VerifiedJws, String> {
    let (set, _) = JwkSet::parse(keys.to_string().as_bytes()).map_err(|e| e.to_string())?;
    let token = RawToken::from(jws.to_owned());
    let jws = UnverifiedJws::parse(&token).map_err(|e| e.to_string())?;
    let key = set
        .find(jws.kid(), jws.alg())
        .map_err(|e| e.to_string())?
        .clone();
    key.verify(jws, &Algorithm::ALL).map_err(|e| e.to_string())
}

/// Returns the key of a group as a set. If the group has only a private key, its public half is used.
fn key_set(group: &Value) -> Value {
    let key = group.get("public").unwrap_or(&group["private"]);
    if key.get("keys").is_some() {
        key.clone()
    } else {
        json!({ "keys": [key] })
    }
}

/// Returns the reason why the gateway refuses a vector that is marked valid, or `None` if it must accept it.
fn refused_on_purpose(group: &Value, test: &Value) -> Option<&'static str> {
    let key = group.get("public").unwrap_or(&group["private"]);
    let first = key["keys"].get(0).unwrap_or(key);
    let group_is = |comment: &str| group["comment"].as_str().unwrap().starts_with(comment);
    if first["kty"] == "oct" {
        return Some(SYMMETRIC);
    }
    if key["alg"] == "ES521" {
        return Some(NO_ALGORITHM);
    }
    if group_is("jwe_") {
        return Some(ENCRYPTED);
    }
    if test["comment"] == "emptyPayload" {
        return Some(EMPTY);
    }
    if group_is("rfc7520") && test["comment"] == "Figure20" {
        return Some(OTHER_ALG);
    }
    None
}

const SYMMETRIC: &str = "symmetric keys and HMAC do not exist here";
const NO_ALGORITHM: &str = "the key's alg is ES521, which is no algorithm";
const ENCRYPTED: &str = "encrypted objects are not read";
const EMPTY: &str = "a token without a payload has no claims";
const OTHER_ALG: &str = "signed with PS384 under a key whose alg is PS256";

fn read(file: &str) -> Value {
    let path = format!("{}/tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn run(file: &str) -> Tally {
    let vectors = read(file);
    let mut tally = Tally::default();
    let mut wrong = Vec::new();
    let groups = vectors["testGroups"].as_array().unwrap();
    for group in groups {
        for test in group["tests"].as_array().unwrap() {
            let outcome = verify(&key_set(group), test["jws"].as_str().unwrap_or_default());
            match (test["result"].as_str().unwrap(), outcome) {
                ("invalid", Err(_)) => tally.refused += 1,
                ("valid", Ok(_)) => tally.accepted += 1,
                ("valid", Err(error)) => match refused_on_purpose(group, test) {
                    Some(why) => *tally.refused_though_valid.entry(why).or_default() += 1,
                    None => wrong.push(describe(group, test, &error)),
                },
                (_, outcome) => {
                    let outcome = outcome.map_or_else(|error| error, |_| "accepted".into());
                    wrong.push(describe(group, test, &outcome));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    tally
}

fn describe(group: &Value, test: &Value, outcome: &str) -> String {
    format!(
        "{} {} {} ({}): {outcome} {}",
        group["comment"], test["tcId"], test["comment"], test["result"], test["flags"]
    )
}

fn tally(accepted: usize, refused: usize, on_purpose: &[(&'static str, usize)]) -> Tally {
    Tally {
        accepted,
        refused,
        refused_though_valid: on_purpose.iter().copied().collect(),
    }
}

#[test]
fn the_401_signature_vectors_are_judged_as_wycheproof_judges_them() {
    let on_purpose = [
        (SYMMETRIC, 10),
        (EMPTY, 6),
        (OTHER_ALG, 2),
        (NO_ALGORITHM, 2),
    ];
    let expected = tally(26, 355, &on_purpose);
    assert_eq!(run("json_web_signature_test.json"), expected);
}

#[test]
fn the_26_key_vectors_are_judged_as_wycheproof_judges_them() {
    let expected = tally(1, 21, &[(SYMMETRIC, 4)]);
    assert_eq!(run("json_web_key_test.json"), expected);
}

#[test]
fn the_83_combined_vectors_are_judged_as_wycheproof_judges_them() {
    let expected = tally(2, 77, &[(SYMMETRIC, 3), (ENCRYPTED, 1)]);
    assert_eq!(run("json_web_crypto_test.json"), expected);
}

#[test]
fn the_roca_key_is_refused_for_what_it_is() {
    let vectors = read("json_web_key_test.json");
    let groups = vectors["testGroups"].as_array().unwrap();
    let roca = groups
        .iter()
        .find(|group| group["comment"] == "jws_rsa_roca_key")
        .unwrap();
    let key = VerificationKey::from_jwk(roca["public"]["keys"][0].as_object().unwrap());
    assert_eq!(key.unwrap_err(), KeyError::Weak);
}
