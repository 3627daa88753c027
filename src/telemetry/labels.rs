//! The closed vocabularies of metrics and logs. No label value exists outside these enums and the configuration.

/// A closed set of label values, found by index.
pub(super) trait Label: Copy + Sized + 'static {
    /// Every value, in the order of [`Label::index`].
    const ALL: &'static [Self];

    /// The value as it stands in a series or a log line: snake case, ASCII.
    fn as_str(self) -> &'static str;

    /// The position in [`Label::ALL`].
    fn index(self) -> usize;
}

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

            /// The value as it stands in a series or a log line.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $text),+
                }
            }
        }

        impl Label for $name {
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

labels! {
    /// Why a request was not forwarded, or its answer not passed on: `obo_denied_total{reason}` and the logs.
    Reason {
        /// No credentials, or a scheme that is not accepted.
        NoCredentials = "no_credentials",
        /// An `Authorization` field that RFC 6750 §2.1 does not allow.
        MalformedAuthorization = "malformed_authorization",
        /// More than one credential.
        SeveralCredentials = "several_credentials",
        /// A token as query parameter (RFC 6750 §2.3 is not accepted).
        TokenInQuery = "token_in_query",
        /// A copy of the token in the request target.
        TokenInTarget = "token_in_target",
        /// The token is over `limits.token`.
        TokenTooLarge = "token_too_large",
        /// The headers are over `limits.headers`.
        HeadersTooLarge = "headers_too_large",
        /// The request target is over `limits.target`.
        TargetTooLong = "target_too_long",
        /// A path that two parsers could read differently.
        AmbiguousPath = "ambiguous_path",
        /// Head or body are not in the one form that every parser reads alike.
        MalformedRequest = "malformed_request",
        /// No host, a malformed one, or two.
        Host = "host",
        /// No route meets the request.
        NoRoute = "no_route",
        /// Not a token that can be read.
        MalformedToken = "malformed_token",
        /// An algorithm that is not allowed.
        Algorithm = "algorithm",
        /// A key that the issuer does not publish.
        UnknownKey = "unknown_key",
        /// The signature is not the key's.
        Signature = "signature",
        /// An issuer that the route does not accept.
        UnknownIssuer = "unknown_issuer",
        /// One of the gateway's own tokens.
        SelfIssued = "self_issued",
        /// A `typ` that is not accepted.
        TokenType = "token_type",
        /// Addressed to somebody else.
        Audience = "audience",
        /// Past its `exp`.
        Expired = "expired",
        /// Before its `nbf`, or issued in the future.
        NotYetValid = "not_yet_valid",
        /// Lives longer than the issuer's `max_lifetime`.
        LivesTooLong = "lives_too_long",
        /// Revoked, or made of something that is.
        Revoked = "revoked",
        /// A JWT that a client signed itself and that is not acceptable.
        Assertion = "assertion",
        /// An actor's token that was got by impersonation.
        Impersonated = "impersonated",
        /// A user that the directory does not know.
        UserUnknown = "user_unknown",
        /// A required claim is absent.
        RequiredClaim = "required_claim",
        /// Bound to a key whose proof cannot be checked.
        SenderConstrained = "sender_constrained",
        /// Claims that are malformed or contradict each other.
        Claims = "claims",
        /// The issuer's keys cannot be had.
        KeysUnavailable = "keys_unavailable",
        /// A scope that the operation asks for is not held.
        ScopeNotHeld = "scope_not_held",
        /// Nothing is left of the scope.
        NoScopeLeft = "no_scope_left",
        /// The calling application is not admitted on the route.
        CallerNotAdmitted = "caller_not_admitted",
        /// The calling application gets no tokens for the route's audience.
        AudienceNotForClient = "audience_not_for_client",
        /// The request is none of the route's operations.
        NoOperation = "no_operation",
        /// The token speaks for an application alone.
        AppOnlySubject = "app_only_subject",
        /// `authorization_details` that are not carried over, or a request for them.
        AuthorizationDetails = "authorization_details",
        /// `may_act` names another actor.
        NotAuthorizedActor = "not_authorized_actor",
        /// More actors than the route allows.
        ActorChainTooDeep = "actor_chain_too_deep",
        /// No second of life is left to give.
        NoLifetimeLeft = "no_lifetime_left",
        /// The subject cannot be named to the downstream as the route says.
        SubjectNotExpressible = "subject_not_expressible",
        /// A client presents another client's token.
        NotThisClientsToken = "not_this_clients_token",
        /// A subject that counts only together with an actor.
        ActorNeeded = "actor_needed",
        /// The actor may not act for the subject.
        ImpersonationNotAllowed = "impersonation_not_allowed",
        /// An audience or resource that the client may not have.
        TargetNotAllowed = "target_not_allowed",
        /// More scope than the client may have or the tokens hold.
        ScopeExceeds = "scope_exceeds",
        /// A form of token that the client may not have.
        FormatNotAllowed = "format_not_allowed",
        /// The gateway could not sign.
        Signing = "signing",
        /// The issued token is wider than what was permitted.
        WiderThanPermitted = "wider_than_permitted",
        /// A refresh token that is none, or none any more.
        RefreshToken = "refresh_token",
        /// A refresh token that was used before.
        RefreshTokenReused = "refresh_token_reused",
        /// The store is needed, and cannot be used.
        StoreUnavailable = "store_unavailable",
        /// The audit event could not be written.
        AuditUnwritable = "audit_unwritable",
        /// The exchange broke.
        ExchangeFault = "exchange_fault",
        /// Another request's exchange took too long.
        WaitedTooLong = "waited_too_long",
        /// More work than the gateway takes on.
        Overload = "overload",
        /// The downstream's answer held the on-behalf-of token.
        ResponseLeak = "response_leak",
        /// The downstream refused a fresh token.
        UpstreamUnauthorized = "upstream_unauthorized",
        /// No connection to the downstream.
        UpstreamUnreachable = "upstream_unreachable",
        /// The downstream did not answer in time.
        UpstreamTimeout = "upstream_timeout",
        /// The downstream's answer is not sound HTTP.
        UpstreamFraming = "upstream_framing",
        /// A protocol upgrade that the route does not allow.
        UpgradeRefused = "upgrade_refused",
        /// The client of the token service did not prove who it is.
        ClientAuthentication = "client_authentication",
        /// A request to the token service that is not in order.
        MalformedForm = "malformed_form",
        /// A grant or response type that is not offered.
        GrantNotOffered = "grant_not_offered",
        /// More requests than anybody may send.
        RateLimited = "rate_limited",
        /// The token expired while the response was sent.
        TokenExpired = "token_expired",
        /// The token was revoked while the response was sent.
        TokenRevoked = "token_revoked",
        /// The body is over its limit or unreadable.
        BodyRefused = "body_refused",
        /// The client went away.
        ClientGone = "client_gone",
        /// The gateway's own fault.
        Internal = "internal",
    }
}

labels! {
    /// How a request ended: `obo_requests_total{outcome}`.
    Outcome {
        /// Sent on, and the downstream's answer passed back.
        Forwarded = "forwarded",
        /// Sent on, and cut off when the token expired or was revoked.
        Ended = "ended",
        /// Refused by the gateway: 4xx.
        Refused = "refused",
        /// The gateway or an identity provider could not: 5xx.
        Unavailable = "unavailable",
        /// The downstream could not.
        UpstreamFailed = "upstream_failed",
        /// One of the gateway's own documents.
        Served = "served",
        /// The client went away first.
        ClientGone = "client_gone",
    }
}

labels! {
    /// What the cache of exchanges said: `obo_cache_total{result}`.
    CacheResult {
        /// A valid exchange was remembered.
        Hit = "hit",
        /// None was; this request made it.
        Miss = "miss",
        /// None was; another request was making it.
        Coalesced = "coalesced",
        /// A successor was made in the background before a remembered one ended; counted beside the hit that caused it.
        Refreshed = "refreshed",
        /// A definitive refusal was remembered.
        Negative = "negative",
    }
}

labels! {
    /// How an exchange ended: `obo_exchange_total{outcome}`.
    ExchangeOutcome {
        /// A token was issued.
        Issued = "issued",
        /// Policy or the provider refused.
        Refused = "refused",
        /// It broke.
        Failed = "failed",
    }
}

labels! {
    /// The first digit of a downstream's status: `obo_upstream_requests_total{status_class}`.
    StatusClass {
        /// 100 to 199.
        Informational = "1xx",
        /// 200 to 299.
        Success = "2xx",
        /// 300 to 399.
        Redirection = "3xx",
        /// 400 to 499.
        ClientError = "4xx",
        /// 500 and above, and what is no status at all.
        ServerError = "5xx",
    }
}

impl StatusClass {
    /// The class of a status code (RFC 9110 §15).
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
    /// Where a token was found that must not pass: `obo_leak_blocked_total{place}`.
    LeakPlace {
        /// A copy of the original token in another header or cookie.
        RequestHeader = "request_header",
        /// A copy of the original token in the request target.
        RequestTarget = "request_target",
        /// A copy of the original token in a trailer of the request.
        RequestTrailer = "request_trailer",
        /// The on-behalf-of token in the head of an answer, interim ones included.
        ResponseHead = "response_head",
        /// The on-behalf-of token in a trailer of an answer.
        ResponseTrailer = "response_trailer",
    }
}

labels! {
    /// What became of a configuration that was to replace the running one: `obo_config_reload_total{outcome}`.
    ReloadOutcome {
        /// It is served.
        Applied = "applied",
        /// It has a mistake, or something that it needs cannot be had: the running one stays.
        Refused = "refused",
    }
}

labels! {
    /// What happened to a connection: `obo_connections{state}` and `obo_connection_events_total{event}`.
    ConnectionEvent {
        /// It was accepted: one more is open.
        Accepted = "accepted",
        /// It ended, for whatever reason: one less is open.
        Closed = "closed",
        /// It was over `limits.connections`.
        RefusedTotal = "refused_total",
        /// It was over `limits.connections_per_address`.
        RefusedAddress = "refused_address",
        /// Its head did not come within `limits.header_timeout`.
        HeadTimeout = "head_timeout",
        /// Its head was over the byte cap.
        HeadTooLarge = "head_too_large",
        /// Its TLS handshake failed, whoever was at fault.
        HandshakeFailed = "handshake_failed",
        /// The system had no descriptor or memory left for it.
        AcceptFailed = "accept_failed",
        /// A stream of it was refused by the HTTP/2 library, before it was a request.
        StreamRefused = "stream_refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn check<L: Label>() {
        let mut seen = HashSet::new();
        for (position, label) in L::ALL.iter().enumerate() {
            assert_eq!(label.index(), position);
            assert!(seen.insert(label.as_str()), "{}", label.as_str());
            assert!(
                label
                    .as_str()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            );
        }
    }

    #[test]
    fn every_label_is_snake_case_unique_and_stands_at_its_index() {
        check::<Reason>();
        check::<Outcome>();
        check::<CacheResult>();
        check::<ExchangeOutcome>();
        check::<StatusClass>();
        check::<LeakPlace>();
        check::<ConnectionEvent>();
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
