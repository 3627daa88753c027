//! Which header fields do not cross.

/// Request fields that are dropped whatever they hold: credentials, identities and addresses that a proxy vouches for,
/// and fields that make a server serve another method or path than the one that was matched. The name is in lower case.
pub(crate) fn is_dropped_from_request(name: &str) -> bool {
    let listed: &[&str] = match name.as_bytes() {
        [b'x', b'-' | b'_', ..] => return is_dropped_extension(name),
        [b'a', ..] => &["authorization"],
        [b'c', ..] => &["cookie", "client-cert", "client-cert-chain"],
        [b'd', ..] => &["dpop"],
        [b'f', ..] => &["forwarded"],
        [b'p', ..] => &["proxy-authorization"],
        [b'r', ..] => &["remote-user"],
        [b't', ..] => &["txn-token", "true-client-ip"],
        _ => return false,
    };
    listed.iter().any(|listed| is_spelled(name, listed))
}

/// The same of names that begin with `x-`.
fn is_dropped_extension(name: &str) -> bool {
    const LISTED: [&str; 25] = [
        "x-api-key",
        "x-auth-token",
        "x-access-token",
        "x-forwarded-access-token",
        "x-forwarded-user",
        "x-forwarded-email",
        "x-forwarded-groups",
        "x-forwarded-preferred-username",
        "x-remote-user",
        "x-forwarded-client-cert",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-port",
        "x-forwarded-server",
        "x-forwarded-prefix",
        "x-real-ip",
        "x-client-ip",
        "x-original-url",
        "x-original-uri",
        "x-rewrite-url",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-request-id",
    ];
    const FAMILY: &str = "x-ssl-client-";
    let begins = name.get(..FAMILY.len());
    LISTED.iter().any(|listed| is_spelled(name, listed))
        || begins.is_some_and(|begins| is_spelled(begins, FAMILY))
}

/// Whether `name` is `listed` to a server that follows RFC 3875 §4.1.18, which reads `X_Api_Key` and `X-Api-Key` as one
/// variable.
fn is_spelled(name: &str, listed: &str) -> bool {
    name.len() == listed.len()
        && name
            .bytes()
            .zip(listed.bytes())
            .all(|(byte, wanted)| byte == wanted || (byte == b'_' && wanted == b'-'))
}

/// Request fields that are written anew on every route, in place of the client's.
pub(crate) fn is_written_anew(name: &str) -> bool {
    matches!(
        name,
        "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-proto" | "x-request-id"
    )
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

/// Fields that concern one connection (RFC 9110 §7.6.1); Transfer-Encoding is another matter, which frames what follows.
pub(crate) fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection" | "keep-alive" | "proxy-connection" | "te" | "upgrade"
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
            "x_request_id",
            "forwarded",
            "remote_user",
            "true-client-ip",
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
            "x",
            "x-",
            "x.api-key",
            "x-forwarded-fox",
            "cookie2",
            "if-none-match",
        ] {
            assert!(!is_dropped_from_request(name), "{name}");
        }
    }
}
