//! Parses scopes as clients of Entra write them: `<audience>/<scope>`, `<audience>/.default`, and the names of OpenID
//! Connect.

use crate::{
    policy::{ClientPolicy, PolicyError, RequestedScope},
    sts::{
        error::OAuthError,
        form::Form,
        grants::parameters::malformed_scope,
        refused::{self, INVALID_GRANT},
    },
    telemetry::Reason,
    token::{Audience, ScopeSet},
    verify::SubjectToken,
};

/// MSAL always requests these. They are granted if the subject has them, and never cause an error.
const RESERVED: [&str; 4] = ["openid", "profile", "email", "offline_access"];
/// The name for all permitted scopes.
const DEFAULT: &str = ".default";

/// The requested scope in the gateway's own names.
pub(in crate::sts::grants) struct RequestedScopes {
    pub(in crate::sts::grants) audience: Vec<Audience>,
    pub(in crate::sts::grants) scope: RequestedScope,
    pub(in crate::sts::grants) names: ScopeNames,
}

/// How the client spells the scopes of the requested API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sts::grants) struct ScopeNames {
    /// The text before each scope.
    prefix: Option<String>,
    /// `true` if the client writes `.default` instead of the scopes.
    default: bool,
}

/// A requested scope that is not reserved.
struct Named<'a> {
    prefix: Option<&'a str>,
    scope: &'a str,
}

/// Parses `scope`, for a token that is derived from `subject`.
pub(in crate::sts::grants) fn asked(
    form: &Form,
    client: &ClientPolicy,
    subject: &SubjectToken,
) -> Result<RequestedScopes, OAuthError> {
    let text = form.get("scope");
    let text = text.ok_or_else(|| OAuthError::invalid_request("scope is missing"))?;
    let written = ScopeSet::parse(text).map_err(|_| malformed_scope())?;
    let is_reserved = |scope: &str| RESERVED.contains(&scope);
    let named: Vec<Named<'_>> = written
        .iter()
        .filter(|scope| !is_reserved(scope))
        .map(|scope| Named::read(scope, client.scope_ceiling()))
        .collect();
    let Some(first) = named.first() else {
        return Err(unusable("a scope of an API is missing"));
    };
    if named.iter().any(|other| other.prefix != first.prefix) {
        return Err(unusable("the scopes belong to more than one audience"));
    }
    let default = named.iter().any(|named| named.scope == DEFAULT);
    if default && named.len() > 1 {
        return Err(unusable(
            ".default means all scopes and cannot be combined with others",
        ));
    }
    let audience = first
        .prefix
        .map(|prefix| target(client, prefix))
        .transpose()?;
    let held = client.may_have(subject.scopes());
    let reserved = held.filtered(|scope| is_reserved(scope) && written.contains(scope));
    let asked_for = if default {
        let all = held.filtered(|scope| !is_reserved(scope));
        let none_exists = client.scope_ceiling().iter().all(is_reserved);
        if all.is_empty() && !none_exists {
            let wanted = client.scope_ceiling().clone();
            return Err(refused::policy(
                PolicyError::ScopeExceeds { wanted },
                INVALID_GRANT,
            ));
        }
        all
    } else {
        let names: Vec<&str> = named.iter().map(|named| named.scope).collect();
        ScopeSet::parse(&names.join(" ")).map_err(|_| malformed_scope())?
    };
    Ok(RequestedScopes {
        audience: audience.into_iter().cloned().collect(),
        scope: RequestedScope::Named(asked_for.union(&reserved)),
        names: ScopeNames {
            prefix: first.prefix.map(str::to_owned),
            default,
        },
    })
}

impl<'a> Named<'a> {
    /// A name that the client may have as it is written is one scope, even if it contains slashes.
    fn read(written: &'a str, ceiling: &ScopeSet) -> Self {
        let whole = Self {
            prefix: None,
            scope: written,
        };
        if ceiling.contains(written) {
            return whole;
        }
        written
            .rsplit_once('/')
            .map_or(whole, |(prefix, scope)| Self {
                prefix: Some(prefix),
                scope,
            })
    }
}

/// Returns the audience that precedes a scope: by its name, one of its resources, or either after `api://`.
fn target<'a>(client: &'a ClientPolicy, prefix: &str) -> Result<&'a Audience, OAuthError> {
    let bare = prefix.strip_prefix("api://");
    let with_slash = format!("{prefix}/");
    [Some(prefix), bare, Some(&with_slash)]
        .into_iter()
        .flatten()
        .find_map(|name| client.target(name))
        .ok_or_else(|| refused::policy(PolicyError::TargetNotAllowed, INVALID_GRANT))
}

fn unusable(description: &'static str) -> OAuthError {
    OAuthError::bad_request("invalid_scope", description, Reason::MalformedForm)
}

impl ScopeNames {
    /// Returns the issued scope as the client spelled it, because clients look for the scope that they requested.
    pub(super) fn written(&self, issued: &ScopeSet) -> String {
        let prefixed = |scope: &str| match &self.prefix {
            Some(prefix) if !RESERVED.contains(&scope) => format!("{prefix}/{scope}"),
            Some(_) | None => scope.to_owned(),
        };
        let default = self.default.then(|| prefixed(DEFAULT));
        let names: Vec<String> = issued.iter().map(prefixed).chain(default).collect();
        names.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issued_scope_is_written_as_it_was_asked_for() {
        let issued = ScopeSet::parse("openid read write").unwrap();
        let names = |prefix: Option<&str>, default| ScopeNames {
            prefix: prefix.map(str::to_owned),
            default,
        };
        for (names, expected) in [
            (names(None, false), "openid read write"),
            (
                names(Some("api://a"), false),
                "openid api://a/read api://a/write",
            ),
            (names(Some("a"), true), "openid a/read a/write a/.default"),
        ] {
            assert_eq!(names.written(&issued), expected);
        }
    }

    #[test]
    fn a_name_with_a_slash_that_the_client_may_have_is_no_audience_and_a_scope() {
        let ceiling = ScopeSet::parse("https://a/read").unwrap();
        let whole = Named::read("https://a/read", &ceiling);
        assert_eq!((whole.prefix, whole.scope), (None, "https://a/read"));
        let split = Named::read("https://a/write", &ceiling);
        assert_eq!((split.prefix, split.scope), (Some("https://a"), "write"));
        let default = Named::read("api://a/.default", &ceiling);
        assert_eq!(
            (default.prefix, default.scope),
            (Some("api://a"), ".default")
        );
    }
}
