//! The header fields that are not forwarded.

use super::words::{any_word, has_byte};

/// Returns `true` for request fields that are always dropped: credentials, identities and addresses that a proxy
/// vouches for, and fields that make a server use another method or path than the one that was matched. The name is in
/// lower case.
///
/// A server that follows RFC 3875 §4.1.18 reads `X_Api_Key` and `X-Api-Key` as one variable. Therefore no name with an
/// underscore is forwarded, except for those that a route lists.
pub(crate) fn is_dropped_from_request(name: &str) -> bool {
    let bytes = name.as_bytes();
    if any_word(bytes, |word| has_byte(word, b'_')) {
        return true;
    }
    let (names, families): (&[&str], &[&str]) = match bytes {
        [b'x', b'-', rest @ ..] => return is_dropped_extension(rest),
        // common request fields begin with the same letter, so the second letter is compared, too
        [b'a', b'u', ..] => (&["authorization"], &[]),
        [b'c', b'o', ..] => (&["cookie"], &[]),
        [b'c', b'f', ..] => (&["cf-connecting-ip", "cf-connecting-ipv6"], &["cf-access-"]),
        [b'c', b'l', ..] => (&[], &["client-cert"]),
        [b'd', ..] => (&["dpop"], &[]),
        [b'f', ..] => (&["forwarded", "fastly-client-ip"], &[]),
        [b'i', ..] => (&[], &["iv-"]),
        [b'o', ..] => (&["oam-remote-user"], &["oidc-"]),
        // a CGI program takes the field Proxy for the proxy that it should use itself (RFC 3875 §4.1.18)
        [b'p', ..] => (&["proxy-authorization", "proxy"], &[]),
        [b'r', ..] => (&[], &["remote-"]),
        [b's', ..] => (&["sm-user"], &["ssl-"]),
        [b't', ..] => (&["txn-token", "true-client-ip"], &["tailscale-"]),
        [b'w', ..] => (&[], &["wl-proxy-"]),
        _ => return false,
    };
    is_listed(bytes, names, families)
}

/// Like [`is_dropped_from_request`], for names that begin with `x-`; `rest` is the part after it.
fn is_dropped_extension(rest: &[u8]) -> bool {
    let (names, families): (&[&str], &[&str]) = match rest {
        [b'a', ..] => (
            &[
                "api-key",
                "auth-token",
                "access-token",
                "apigateway-api-userinfo",
                "azure-clientip",
                "azure-socketip",
            ],
            &[
                "auth-request-",
                "authenticated-",
                "authentik-",
                "amzn-oidc-",
                "amzn-mtls-",
                "appengine-",
            ],
        ),
        [b'c', ..] => (
            &[
                "client-ip",
                "client-dn",
                "client-verify",
                "cluster-client-ip",
            ],
            &["client-cert", "consumer-", "credential-"],
        ),
        [b'e', ..] => (&["endpoint-api-userinfo"], &["envoy-"]),
        [b'f', ..] => (&[], &["forwarded"]),
        [b'g', ..] => (&[], &["goog-"]),
        [b'h', ..] => (&["host"], &["http-method"]),
        [b'j', ..] => (&[], &["jwt-"]),
        [b'm', ..] => (&["method-override"], &["ms-client-principal", "ms-token-"]),
        [b'o', ..] => (&[], &["original-"]),
        [b'p', ..] => (&[], &["pomerium-"]),
        [b'r', ..] => (&["request-id"], &["real-", "remote-", "rewrite-"]),
        [b's', ..] => (&[], &["ssl-"]),
        [b't', ..] => (&["true-client-ip"], &["tls-client-"]),
        [b'u', ..] => (&["userinfo"], &[]),
        [b'v', ..] => (&[], &["vouch-"]),
        [b'w', ..] => (&[], &["webauth-"]),
        _ => return false,
    };
    is_listed(rest, names, families)
}

fn is_listed(name: &[u8], names: &[&str], families: &[&str]) -> bool {
    names.iter().any(|listed| listed.as_bytes() == name)
        || families
            .iter()
            .any(|begin| name.starts_with(begin.as_bytes()))
}

/// Returns `true` for request fields that the gateway writes itself on every route, in place of the client's.
pub(crate) fn is_written_anew(name: &str) -> bool {
    matches!(
        name,
        "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-proto" | "x-request-id"
    )
}

/// Returns `true` for response fields that are dropped: those that set policies for the gateway's origin in the client,
/// and those that ask the client for credentials.
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

/// Returns `true` for fields that concern one connection (RFC 9110 §7.6.1), except Transfer-Encoding, which frames the
/// body.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection" | "keep-alive" | "proxy-connection" | "te" | "upgrade"
    )
}

/// What is done with a field of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is forwarded.
    Passes,
    /// It is forwarded, and states the media type of the body.
    MediaType,
    /// It is forwarded, and frames the body by its length.
    Length,
    /// It is forwarded, and frames the body by its coding.
    Coding,
    /// It is forwarded, and contains a URL to follow.
    Leads,
    /// It is dropped.
    Dropped,
    /// It is dropped, and names other fields that are dropped.
    Nominates,
}

/// Returns what is done with the response field `name`, which is in lower case.
pub(crate) fn fate(name: &str) -> Fate {
    match name {
        "content-type" => Fate::MediaType,
        "content-length" => Fate::Length,
        "transfer-encoding" => Fate::Coding,
        "location" | "content-location" => Fate::Leads,
        "connection" => Fate::Nominates,
        _ if is_dropped_from_response(name) || is_hop_by_hop(name) => Fate::Dropped,
        _ => Fate::Passes,
    }
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
            "x_custom",
            "transfer_encoding",
            "content_length",
            "a_b-c",
            "_",
        ] {
            assert!(is_dropped_from_request(name), "{name}");
        }
        for name in [
            "accept",
            "content-type",
            "x-custom",
            "x-user-agent",
            "x-correlation-id",
            "referer",
            "user-agent",
            "x-ssl",
            "x",
            "x-",
            "x.api-key",
            "x-originals",
            "x-google",
            "remote",
            "ssl",
            "proxy-connection",
            "cookie2",
            "if-none-match",
        ] {
            assert!(!is_dropped_from_request(name), "{name}");
        }
    }
    #[test]
    fn whole_families_that_a_proxy_vouches_for_are_dropped() {
        for name in [
            "x-forwarded",
            "x-forwarded-fox",
            "x-forwarded-uri",
            "x-forwarded-tls-client-cert-info",
            "x-original-host",
            "x-original-forwarded-for",
            "x-envoy-original-path",
            "x-envoy-external-address",
            "x-auth-request-email",
            "x-authenticated-userid",
            "x-goog-iap-jwt-assertion",
            "x-goog-authenticated-user-email",
            "ssl-client-cert",
            "ssl-client-subject-dn",
            "x-ssl-cert",
            "x-client-cert-chain",
            "x-ms-client-principal-id",
            "x-ms-token-aad-access-token",
            "x-amzn-oidc-data",
            "x-amzn-mtls-clientcert",
            "x-remote-groups",
            "remote-groups",
            "x-consumer-custom-id",
            "x-webauth-user",
            "x-jwt-assertion",
            "oidc-claim-sub",
            "iv-user",
            "wl-proxy-client-ip",
            "cf-access-jwt-assertion",
            "tailscale-user-login",
            "x-http-method",
            "proxy",
        ] {
            assert!(is_dropped_from_request(name), "{name}");
        }
    }
}
