//! Which header fields do not cross.

/// Request fields that are dropped whatever they hold: credentials, identities and addresses that a proxy vouches for,
/// and fields that make a server serve another method or path than the one that was matched.
pub(crate) fn is_dropped_from_request(name: &str) -> bool {
    if name.contains('_') {
        // RFC 3875 §4.1.18 gateways read X_Api_Key and X-Api-Key as one variable
        return is_listed(&name.replace('_', "-"));
    }
    is_listed(name)
}

/// Request fields that are written anew on every route, in place of the client's.
pub(crate) fn is_written_anew(name: &str) -> bool {
    matches!(
        name,
        "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-proto" | "x-request-id"
    )
}

fn is_listed(name: &str) -> bool {
    matches!(
        name,
        "authorization"
            | "proxy-authorization"
            | "cookie"
            | "dpop"
            | "txn-token"
            | "x-api-key"
            | "x-auth-token"
            | "x-access-token"
            | "x-forwarded-access-token"
            | "x-forwarded-user"
            | "x-forwarded-email"
            | "x-forwarded-groups"
            | "x-forwarded-preferred-username"
            | "x-remote-user"
            | "remote-user"
            | "x-forwarded-client-cert"
            | "client-cert"
            | "client-cert-chain"
            | "forwarded"
            | "x-forwarded-for"
            | "x-forwarded-host"
            | "x-forwarded-proto"
            | "x-forwarded-port"
            | "x-forwarded-server"
            | "x-forwarded-prefix"
            | "x-real-ip"
            | "x-client-ip"
            | "true-client-ip"
            | "x-original-url"
            | "x-original-uri"
            | "x-rewrite-url"
            | "x-http-method"
            | "x-http-method-override"
            | "x-method-override"
            | "x-request-id"
    ) || name.starts_with("x-ssl-client-")
}

/// Response fields that are dropped: what speaks for the gateway's origin in the client, and what asks the client for
/// credentials.
pub(crate) fn is_dropped_from_response(name: &str) -> bool {
    matches!(
        name,
        "set-cookie"
            | "set-cookie2"
            | "clear-site-data"
            | "alt-svc"
            | "strict-transport-security"
            | "nel"
            | "report-to"
            | "reporting-endpoints"
            | "service-worker-allowed"
            | "www-authenticate"
            | "proxy-authenticate"
            | "authentication-info"
            | "proxy-authentication-info"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_dropped_under_every_spelling() {
        for name in [
            "authorization",
            "proxy-authorization",
            "proxy_authorization",
            "cookie",
            "dpop",
            "txn-token",
            "txn_token",
            "x-api-key",
            "x_api_key",
            "x_api-key",
            "x-auth-token",
            "x-access-token",
            "x-forwarded-access-token",
            "x_forwarded_access_token",
            "x-forwarded-user",
            "x-remote-user",
            "x-forwarded-client-cert",
            "client-cert",
            "client_cert_chain",
            "x-ssl-client-cert",
            "x-ssl-client-s-dn",
            "x_ssl_client_verify",
            "x-original-url",
            "x-http-method-override",
        ] {
            assert!(is_dropped_from_request(name), "{name}");
        }
        for name in [
            "accept",
            "content-type",
            "x-custom",
            "x_custom",
            "referer",
            "user-agent",
            "x-ssl",
            "if-none-match",
        ] {
            assert!(!is_dropped_from_request(name), "{name}");
        }
    }
}
