//! What must not compile: a proof made outside the module that makes the check, a presented token where a credential is
//! wanted, a token in a place that prints. Each file below `compile_fail/` is one attempt, the text beside it what the
//! compiler says to it.
//!
//! That a type lacks a trait is asserted here instead: the compiler's text for that lists whatever else has the trait.

use obo_gateway::{
    cache::ForwardCredential, exchange::IssuedToken, policy::PermittedExchange, route::Public,
    source::PresentedToken, token::RawToken, verify::SubjectToken,
};

/// Compiles only while `$type` lacks `$trait`: with it, both implementations would apply and `_` were ambiguous.
macro_rules! lacks {
    ($type:ty: $($trait:path),+ $(,)?) => {$({
        trait Unless<Which> {
            fn lacks() {}
        }
        struct Has;
        impl<T: ?Sized> Unless<()> for T {}
        impl<T: ?Sized + $trait> Unless<Has> for T {}
        <$type as Unless<_>>::lacks();
    })+};
}

/// Ways to come by a value other than by asking the module whose check it proves.
macro_rules! is_made_by_nobody_else {
    ($($type:ty),+ $(,)?) => {$(
        lacks!($type: Default, serde::de::DeserializeOwned, std::str::FromStr, From<String>, From<RawToken>,
            From<PresentedToken>, From<Vec<u8>>);
    )+};
}

#[test]
fn a_proof_has_no_default_and_is_read_from_no_text() {
    is_made_by_nobody_else!(
        SubjectToken,
        PermittedExchange,
        IssuedToken,
        ForwardCredential,
        Public
    );
    lacks!(ForwardCredential: From<SubjectToken>, From<PermittedExchange>, From<IssuedToken>);
}

/// Stands in for a function that a proof does not have: one of its own by that name, public, would be called instead.
struct Absent;

#[allow(clippy::new_ret_no_self, reason = "it is no constructor")]
trait MadeByName: Sized {
    fn new() -> Absent {
        Absent
    }
    fn mint() -> Absent {
        Absent
    }
    fn from_hit() -> Absent {
        Absent
    }
    fn from_fresh() -> Absent {
        Absent
    }
    fn unchecked() -> Absent {
        Absent
    }
}

impl<T> MadeByName for T {}

macro_rules! has_no_constructor {
    ($($type:ty),+ $(,)?) => {$(
        let (Absent, Absent) = (<$type>::new(), <$type>::mint());
        let (Absent, Absent) = (<$type>::from_hit(), <$type>::from_fresh());
        let Absent = <$type>::unchecked();
    )+};
}

#[test]
fn a_proof_has_no_public_constructor_by_a_usual_name() {
    has_no_constructor!(
        SubjectToken,
        PermittedExchange,
        IssuedToken,
        ForwardCredential,
        Public
    );
}

#[test]
fn a_proof_that_stands_for_one_decision_cannot_be_copied() {
    lacks!(SubjectToken: Clone);
    lacks!(PermittedExchange: Clone);
    lacks!(IssuedToken: Clone);
}

#[test]
fn a_token_is_not_printed_serialized_or_hashed() {
    lacks!(RawToken: std::fmt::Display, serde::Serialize, std::hash::Hash, AsRef<str>, AsRef<[u8]>);
    lacks!(PresentedToken: std::fmt::Display, serde::Serialize, std::hash::Hash, AsRef<str>, AsRef<[u8]>);
    lacks!(IssuedToken: std::fmt::Display, serde::Serialize);
    lacks!(ForwardCredential: std::fmt::Display, serde::Serialize);
}

#[test]
fn a_presented_token_becomes_no_header() {
    lacks!(http::HeaderValue: From<PresentedToken>, From<RawToken>);
    lacks!(PresentedToken: Into<http::HeaderValue>, Into<ForwardCredential>, TryInto<ForwardCredential>);
}

#[test]
fn proofs_cannot_be_forged() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
