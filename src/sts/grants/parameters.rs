//! Parses parameters that several grants have in common and checks their format.

use crate::{
    policy::{AUTHORIZATION_DETAILS, PolicyError, RequestedScope},
    source::SourceError,
    sts::{error::OAuthError, form::Form, refused},
    telemetry::Reason,
    token::{Audience, ScopeSet},
};
use url::Url;

/// Returns the error for a parameter that is not a token.
pub(super) fn not_a_token(description: &'static str) -> impl FnOnce(SourceError) -> OAuthError {
    move |_| {
        OAuthError::bad_request(
            refused::INVALID_REQUEST,
            description,
            Reason::MalformedToken,
        )
    }
}

/// Returns the requested scope, or `None` if the parameter is absent.
pub(super) fn scope(form: &Form) -> Result<Option<RequestedScope>, OAuthError> {
    let Some(text) = form.get("scope") else {
        return Ok(None);
    };
    let names = ScopeSet::parse(text).map_err(|_| malformed_scope())?;
    Ok(Some(RequestedScope::of(&names)))
}

/// RFC 6749 §3.3: the scope is malformed.
pub(super) fn malformed_scope() -> OAuthError {
    OAuthError::bad_request(
        "invalid_scope",
        "the scope is malformed",
        Reason::MalformedForm,
    )
}

/// Returns the requested audiences. A name that no audience can have is refused like a forbidden target.
pub(super) fn audiences(form: &Form) -> Result<Vec<Audience>, OAuthError> {
    let parsed = form.all("audience").map(Audience::parse);
    let parsed: Result<_, _> = parsed.collect();
    parsed.map_err(|_| refused::policy(PolicyError::TargetNotAllowed, refused::INVALID_REQUEST))
}

/// RFC 8707 §2: absolute URIs without a fragment; anything else is `invalid_target`.
pub(super) fn resources(form: &Form) -> Result<Vec<String>, OAuthError> {
    let malformed = || {
        OAuthError::bad_request(
            "invalid_target",
            "a resource must be an absolute URI without a fragment",
            Reason::MalformedForm,
        )
    };
    form.all("resource")
        .map(|text| match Url::parse(text) {
            // `url` fixes what it can: a relative reference has no scheme, and a fragment may be empty
            Ok(_) if !text.contains('#') => Ok(text.to_owned()),
            Ok(_) | Err(_) => Err(malformed()),
        })
        .collect()
}

/// Refuses `authorization_details` (RFC 9396 §5): a token without them would be wider than the requested one.
pub(super) fn no_authorization_details(form: &Form) -> Result<(), OAuthError> {
    match form.get(AUTHORIZATION_DETAILS) {
        None => Ok(()),
        Some(_) => Err(OAuthError::bad_request(
            "invalid_authorization_details",
            "authorization_details cannot be requested",
            Reason::AuthorizationDetails,
        )),
    }
}
