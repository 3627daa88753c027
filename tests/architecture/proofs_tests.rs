//! The search for ways around a check, on sources that have one.

use super::*;

#[track_caller]
fn refused(module: &str, source: &str) {
    let breaches = breaches(&Tree::of(module, source));
    assert_eq!(breaches.len(), 1, "{module}: {source}\n{breaches:?}");
}

#[track_caller]
fn accepted(module: &str, source: &str) {
    assert_eq!(
        breaches(&Tree::of(module, source)),
        Vec::<String>::new(),
        "{module}: {source}"
    );
}

#[test]
fn a_check_that_can_fail_may_return_its_proof() {
    accepted(
        "source::bearer",
        "impl Bearer<'_> { pub fn present(self) -> Result<PresentedToken, SourceError> {} }",
    );
    accepted(
        "verify::jwt",
        "impl V { pub async fn verify(&self) -> Result<SubjectToken, E> {} }",
    );
    accepted(
        "cache::store",
        "pub async fn hit() -> Result<Option<ForwardCredential>, E> {}",
    );
    accepted(
        "verify::jwt",
        "trait V { fn verify(&self) -> impl Future<Output = Result<SubjectToken, E>>; }",
    );
    accepted(
        "exchange::accept",
        "impl IssuedToken { pub fn accept(p: PermittedExchange) -> Result<Self, AttenuationError> {} }",
    );
}

#[test]
fn consuming_the_proof_before_it_is_enough() {
    accepted(
        "policy::permit",
        "impl ExchangeRequest { pub fn new(subject: SubjectToken) -> Self {} }",
    );
    accepted(
        "cache::entry",
        "impl IssuedToken { pub fn into_credential(self) -> ForwardCredential {} }",
    );
    refused(
        "policy::permit",
        "impl ExchangeRequest { pub fn new(subject: &SubjectToken) -> Self {} }",
    );
    refused(
        "verify::jwt",
        "pub fn back(issued: IssuedToken) -> SubjectToken {}",
    );
}

#[test]
fn a_constructor_without_a_check_is_found_however_it_is_written() {
    refused(
        "verify::jwt",
        "impl SubjectToken { pub fn new(claims: Claims) -> Self {} }",
    );
    refused(
        "verify::jwt",
        "impl SubjectToken { pub(crate) fn new(claims: Claims) -> Self {} }",
    );
    refused(
        "verify::jwt",
        "pub fn trust(claims: Claims) -> Option<SubjectToken> {}",
    );
    refused(
        "verify::jwt",
        "pub fn trust(claims: Claims) -> Box<SubjectToken> {}",
    );
    refused(
        "verify::jwt",
        "pub fn trust(claims: Claims) -> Result<Claims, SubjectToken> {}",
    );
    refused(
        "verify::jwt",
        "impl SubjectToken { pub fn with_scope(self, scope: ScopeSet) -> Self {} }",
    );
    refused(
        "verify::jwt",
        "impl Default for SubjectToken { fn default() -> Self {} }",
    );
    refused(
        "verify::jwt",
        "impl From<Claims> for SubjectToken { fn from(claims: Claims) -> Self {} }",
    );
    refused("route::settings", "pub const OPEN: Public = Public(());");
}

#[test]
fn another_module_hands_out_no_proof_even_with_a_check() {
    refused(
        "pipeline",
        "pub fn shortcut() -> Result<ForwardCredential, E> {}",
    );
    refused(
        "pipeline",
        "pub fn shortcut(issued: IssuedToken) -> ForwardCredential {}",
    );
    accepted("pipeline", "fn step() -> Result<ForwardCredential, E> {}");
    accepted(
        "pipeline",
        "impl P { async fn step(&self) -> Result<ForwardCredential, E> {} }",
    );
}

#[test]
fn what_cannot_be_called_from_outside_its_home_is_free() {
    accepted(
        "cache::entry",
        "impl ForwardCredential { pub(super) fn from_hit(entry: Arc<Entry>) -> Self {} }",
    );
    accepted(
        "cache::entry",
        "pub(in crate::cache) fn make() -> ForwardCredential {}",
    );
    accepted("verify::jwt", "fn make() -> SubjectToken {}");
    accepted(
        "verify::jwt",
        "impl Clone for SubjectToken { fn clone(&self) -> Self {} }",
    );
    accepted(
        "policy::permit",
        "impl X { pub fn subject(&self) -> &SubjectToken {} }",
    );
    accepted(
        "verify::jwt",
        "#[cfg(test)] pub fn any() -> SubjectToken {}",
    );
    let visible = "pub struct ForwardCredential(u8); impl ForwardCredential { pub(super) fn from_hit(entry: u8) -> Self {} }";
    refused("cache", visible);
}

#[test]
fn a_proof_has_private_fields_and_no_derived_constructor() {
    accepted(
        "verify::jwt",
        "#[derive(Debug, Clone)] pub struct SubjectToken { claims: Claims }",
    );
    accepted(
        "verify::jwt",
        "pub struct SubjectToken { pub(super) claims: Claims }",
    );
    refused(
        "verify::jwt",
        "pub struct SubjectToken { pub claims: Claims }",
    );
    refused(
        "verify::jwt",
        "pub struct SubjectToken { pub(crate) claims: Claims }",
    );
    refused("route::access", "pub struct Public;");
    refused(
        "verify::jwt",
        "#[derive(Debug, serde::Deserialize)] pub struct SubjectToken { claims: Claims }",
    );
    refused("pipeline", "pub struct SubjectToken { claims: Claims }");
    refused("route", "pub struct Open { claims: Claims }");
}
