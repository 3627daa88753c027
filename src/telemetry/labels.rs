//! The label values of metrics and logs. All values come from these enums or from the configuration.

/// A closed set of label values with indexes.
pub(crate) trait Label: Copy + Sized + 'static {
    /// Every value, in the order of [`Label::index`].
    const ALL: &'static [Self];

    /// The value in a series or a log line: snake case, ASCII.
    fn as_str(self) -> &'static str;

    /// The position in [`Label::ALL`].
    fn index(self) -> usize;
}

/// Defines closed sets of label values.
macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$value_doc])* $value),+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$value),+];

            /// The value in a series or a log line.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $text),+
                }
            }
        }

        impl $crate::telemetry::Label for $name {
            const ALL: &'static [Self] = Self::ALL;

            fn as_str(self) -> &'static str {
                Self::as_str(self)
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}
pub(crate) use labels;

labels! {
    /// The reason why a request was not forwarded, or its response not returned: `obo_denied_total{reason}` and the
    /// logs.
    Reason {
        /// There are no credentials, or their scheme is not accepted.
        NoCredentials = "no_credentials",
        /// The `Authorization` header field is not valid by RFC 6750 §2.1.
        MalformedAuthorization = "malformed_authorization",
        /// There is more than one credential.
        SeveralCredentials = "several_credentials",
        /// The query contains a token (RFC 6750 §2.3 is not supported).
        TokenInQuery = "token_in_query",
        /// The request target contains a copy of the token.
        TokenInTarget = "token_in_target",
        /// The token is longer than `limits.token`.
        TokenTooLarge = "token_too_large",
        /// The headers are larger than `limits.headers`.
        HeadersTooLarge = "headers_too_large",
        /// The request target is longer than `limits.target`.
        TargetTooLong = "target_too_long",
        /// Two parsers could interpret the path differently.
        AmbiguousPath = "ambiguous_path",
        /// Head or body is not in the one form that every parser interprets alike.
        MalformedRequest = "malformed_request",
        /// The host is missing, malformed or ambiguous.
        Host = "host",
        /// No route matches the request.
        NoRoute = "no_route",
        /// The token cannot be parsed.
        MalformedToken = "malformed_token",
        /// The algorithm is not accepted.
        Algorithm = "algorithm",
        /// The issuer does not publish the key.
        UnknownKey = "unknown_key",
        /// The signature does not verify.
        Signature = "signature",
        /// The route does not accept the issuer.
        UnknownIssuer = "unknown_issuer",
        /// The token was issued by the gateway itself.
        SelfIssued = "self_issued",
        /// The `typ` is not accepted.
        TokenType = "token_type",
        /// The token is not addressed to the gateway.
        Audience = "audience",
        /// The `exp` of the token is in the past.
        Expired = "expired",
        /// The `nbf` or `iat` of the token is in the future.
        NotYetValid = "not_yet_valid",
        /// The lifetime exceeds the issuer's `max_lifetime`.
        LivesTooLong = "lives_too_long",
        /// The token is revoked, or was made from a revoked one.
        Revoked = "revoked",
        /// The JWT that the client signed itself is not acceptable.
        Assertion = "assertion",
        /// The actor token was issued for an impersonation.
        Impersonated = "impersonated",
        /// The user is not in the directory.
        UserUnknown = "user_unknown",
        /// A required claim is missing or has a different value.
        RequiredClaim = "required_claim",
        /// The token is bound to a key, and the proof cannot be checked.
        SenderConstrained = "sender_constrained",
        /// Claims are malformed or contradict each other.
        Claims = "claims",
        /// The issuer's keys are not available.
        KeysUnavailable = "keys_unavailable",
        /// The token does not have a required scope.
        ScopeNotHeld = "scope_not_held",
        /// The token has none of the allowed scopes.
        NoScopeLeft = "no_scope_left",
        /// The route does not admit the calling application.
        CallerNotAdmitted = "caller_not_admitted",
        /// The calling application may not get tokens for the route's audience.
        AudienceNotForClient = "audience_not_for_client",
        /// The request matches none of the route's operations.
        NoOperation = "no_operation",
        /// The token is an application's own, without a user.
        AppOnlySubject = "app_only_subject",
        /// The token or the request has `authorization_details` that cannot be copied.
        AuthorizationDetails = "authorization_details",
        /// `may_act` names a different actor.
        NotAuthorizedActor = "not_authorized_actor",
        /// There are more actors than the route allows.
        ActorChainTooDeep = "actor_chain_too_deep",
        /// No lifetime is left.
        NoLifetimeLeft = "no_lifetime_left",
        /// The subject cannot be named to the upstream as the route requires.
        SubjectNotExpressible = "subject_not_expressible",
        /// The client presents another client's token.
        NotThisClientsToken = "not_this_clients_token",
        /// The subject requires an actor token.
        ActorNeeded = "actor_needed",
        /// The actor may not act for the subject.
        ImpersonationNotAllowed = "impersonation_not_allowed",
        /// The client may not get tokens for the audience or resource.
        TargetNotAllowed = "target_not_allowed",
        /// The client requests more scope than it may get or the tokens have.
        ScopeExceeds = "scope_exceeds",
        /// The client may not get tokens of this format.
        FormatNotAllowed = "format_not_allowed",
        /// The gateway could not sign the token.
        Signing = "signing",
        /// The issued token grants more than was permitted.
        WiderThanPermitted = "wider_than_permitted",
        /// The identity provider refuses the user's token.
        ProviderRefusedToken = "provider_refused_token",
        /// The identity provider issues no token for the target or scope.
        ProviderRefusedTarget = "provider_refused_target",
        /// The identity provider refuses the gateway as its client.
        ProviderRefusedGateway = "provider_refused_gateway",
        /// The identity provider is unreachable, too slow or throttling.
        ProviderUnavailable = "provider_unavailable",
        /// The identity provider's response is not a token response.
        ProviderResponse = "provider_response",
        /// The refresh token is invalid or no longer valid.
        RefreshToken = "refresh_token",
        /// The refresh token was used before.
        RefreshTokenReused = "refresh_token_reused",
        /// The store is required but not available.
        StoreUnavailable = "store_unavailable",
        /// The audit event could not be written.
        AuditUnwritable = "audit_unwritable",
        /// The exchange took too long.
        WaitedTooLong = "waited_too_long",
        /// The upstream's response contains the on-behalf-of token.
        ResponseLeak = "response_leak",
        /// The upstream refused a newly issued token.
        UpstreamUnauthorized = "upstream_unauthorized",
        /// The gateway could not connect to the upstream.
        UpstreamUnreachable = "upstream_unreachable",
        /// The upstream did not respond in time.
        UpstreamTimeout = "upstream_timeout",
        /// The upstream's response is not valid HTTP.
        UpstreamFraming = "upstream_framing",
        /// The route does not allow the protocol upgrade.
        UpgradeRefused = "upgrade_refused",
        /// The client of the token service could not be authenticated.
        ClientAuthentication = "client_authentication",
        /// The request to the token service is malformed.
        MalformedForm = "malformed_form",
        /// The grant or response type is not supported.
        GrantNotOffered = "grant_not_offered",
        /// The rate limit is exceeded.
        RateLimited = "rate_limited",
        /// The token expired while the response was sent.
        TokenExpired = "token_expired",
        /// The token was revoked while the response was sent.
        TokenRevoked = "token_revoked",
        /// The body is too large or unreadable.
        BodyRefused = "body_refused",
        /// An internal error of the gateway.
        Internal = "internal",
    }
}

labels! {
    /// The outcome of a request: `obo_requests_total{outcome}`.
    Outcome {
        /// The request was forwarded, and the upstream's response returned.
        Forwarded = "forwarded",
        /// The request was forwarded, and the response cut off when the token expired or was revoked.
        Ended = "ended",
        /// The gateway refused the request: 4xx.
        Refused = "refused",
        /// The gateway or an identity provider failed: 5xx.
        Unavailable = "unavailable",
        /// The upstream failed.
        UpstreamFailed = "upstream_failed",
        /// The gateway served one of its own documents.
        Served = "served",
        /// The client closed the connection first.
        ClientGone = "client_gone",
    }
}

labels! {
    /// The result of a cache lookup: `obo_cache_total{result}`.
    CacheResult {
        /// A valid exchange was cached.
        Hit = "hit",
        /// Nothing was cached, and this request made the exchange.
        Miss = "miss",
        /// Nothing was cached, and another request was making the exchange.
        Coalesced = "coalesced",
        /// A cached exchange was replaced in the background before it expired. Counted in addition to the hit that
        /// caused it.
        Refreshed = "refreshed",
        /// A definitive refusal was cached.
        Negative = "negative",
    }
}

labels! {
    /// The outcome of an exchange: `obo_exchange_total{outcome}`.
    ExchangeOutcome {
        /// A token was issued.
        Issued = "issued",
        /// The policy or the provider refused.
        Refused = "refused",
        /// The exchange failed.
        Failed = "failed",
    }
}

labels! {
    /// The first digit of the upstream's status: `obo_upstream_requests_total{status_class}`.
    StatusClass {
        /// 100 to 199.
        Informational = "1xx",
        /// 200 to 299.
        Success = "2xx",
        /// 300 to 399.
        Redirection = "3xx",
        /// 400 to 499.
        ClientError = "4xx",
        /// 500 and above, and invalid status codes.
        ServerError = "5xx",
    }
}

impl StatusClass {
    /// Returns the class of a status code (RFC 9110 §15).
    pub const fn of(status: u16) -> Self {
        match status {
            100..=199 => Self::Informational,
            200..=299 => Self::Success,
            300..=399 => Self::Redirection,
            400..=499 => Self::ClientError,
            _ => Self::ServerError,
        }
    }
}

labels! {
    /// Where a token was found that must not be forwarded: `obo_leak_blocked_total{place}`.
    LeakPlace {
        /// A copy of the original token in another header or cookie.
        RequestHeader = "request_header",
        /// A copy of the original token in the request target.
        RequestTarget = "request_target",
        /// The on-behalf-of token in a response head, including interim responses.
        ResponseHead = "response_head",
        /// The on-behalf-of token in a trailer of a response.
        ResponseTrailer = "response_trailer",
    }
}

labels! {
    /// The outcome of a configuration reload: `obo_config_reload_total{outcome}`.
    ReloadOutcome {
        /// The new configuration is in use.
        Applied = "applied",
        /// The new configuration has an error, or needs something that is not available. The previous one stays in use.
        Refused = "refused",
    }
}

/// A check of closed sets for the tests of every layer that defines some.
#[cfg(test)]
pub(crate) mod testing {
    use super::Label;
    use std::collections::HashSet;

    pub(crate) fn check<L: Label>() {
        let mut seen = HashSet::new();
        for (position, label) in L::ALL.iter().enumerate() {
            let text = label.as_str();
            assert_eq!(label.index(), position);
            assert!(seen.insert(text), "{text}");
            let snake_case = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            assert!(text.bytes().all(snake_case), "{text}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::check, *};
    #[test]
    fn every_label_is_snake_case_unique_and_stands_at_its_index() {
        check::<Reason>();
        check::<Outcome>();
        check::<CacheResult>();
        check::<ExchangeOutcome>();
        check::<StatusClass>();
        check::<LeakPlace>();
        check::<ReloadOutcome>();
    }

    #[test]
    fn a_status_belongs_to_the_class_of_its_first_digit() {
        for (status, class) in [
            (101, "1xx"),
            (204, "2xx"),
            (304, "3xx"),
            (401, "4xx"),
            (599, "5xx"),
            (0, "5xx"),
        ] {
            assert_eq!(StatusClass::of(status).as_str(), class);
        }
    }
}
