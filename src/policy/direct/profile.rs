//! The claims about the subject in a token of the token endpoint.

use super::DirectRequest;
use crate::{
    policy::ClientPolicy,
    token::ScopeSet,
    verify::{SubjectKindOfToken, SubjectToken},
};
use serde_json::{Map, Value};

/// The claims of each scope (OpenID Connect Core §5.4).
const BY_SCOPE: [(&str, &[&str]); 4] = [
    (
        "profile",
        &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
    ),
    ("email", &["email", "email_verified"]),
    ("phone", &["phone_number", "phone_number_verified"]),
    ("address", &["address"]),
];

/// The claims about the subject's authentication (RFC 9068 §2.2.1). Those of an actor are never copied.
const AUTHENTICATION: [&str; 3] = ["auth_time", "acr", "amr"];

/// Returns the claims about the subject that `scope` allows if it contains `openid`. They come from the subject token,
/// and if a claim is missing there, from the directory.
pub(in crate::policy) fn profile(
    client: &ClientPolicy,
    request: &DirectRequest,
    scope: &ScopeSet,
) -> Map<String, Value> {
    let mut claims = Map::new();
    if !scope.contains("openid") {
        return claims;
    }
    let subject = &request.subject;
    let user = known(client, subject);
    for (_, names) in BY_SCOPE.iter().filter(|(name, _)| scope.contains(name)) {
        for name in *names {
            let said = subject.claims().get(name);
            let written = || user.as_ref().and_then(|user| user.claims().get(*name));
            if let Some(value) = said.or_else(written) {
                claims.insert((*name).to_owned(), value.clone());
            }
        }
    }
    claims
}

fn known(
    client: &ClientPolicy,
    subject: &SubjectToken,
) -> Option<std::sync::Arc<crate::verify::User>> {
    let directory = client.directory.as_ref()?;
    if subject.pseudonym_for().is_some() {
        return None;
    }
    directory.user(&client.user_id(subject.issuer_name(), subject.sub()))
}

/// Returns the claims about the subject's authentication, if an issuer provided them.
pub(in crate::policy) fn authentication(subject: &SubjectToken) -> Map<String, Value> {
    let vouched = match subject.kind() {
        SubjectKindOfToken::AccessToken
        | SubjectKindOfToken::IdToken
        | SubjectKindOfToken::Refresh => true,
        SubjectKindOfToken::SelfSigned | SubjectKindOfToken::UserId => false,
    };
    AUTHENTICATION
        .into_iter()
        .filter(|_| vouched)
        .filter_map(|name| Some((name.to_owned(), subject.claims().get(name)?.clone())))
        .collect()
}
