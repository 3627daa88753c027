//! Requests that repeat their token in every place that a client can write.

use crate::e2e::support::{Ask, encoded};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};

/// One way to repeat the token in a head.
pub struct Copy {
    name: fn(&str) -> String,
    value: fn(&str) -> String,
}

impl Copy {
    /// Name and value of the field.
    pub fn field(&self, token: &str) -> (String, String) {
        ((self.name)(token), (self.value)(token))
    }

    pub fn apply(&self, ask: Ask, token: &str) -> Ask {
        let name = (self.name)(token);
        let ask = ask.field(&name, &(self.value)(token));
        if name == "X-Nominated" {
            return ask.field("Connection", "X-Nominated, Authorization");
        }
        ask
    }
}

fn signature(token: &str) -> &str {
    token.rsplit('.').next().unwrap()
}

pub fn copies() -> Vec<Copy> {
    macro_rules! copies {
        ($($name:expr => $value:expr),+ $(,)?) => { vec![$(Copy { name: $name, value: $value }),+] };
    }
    copies![
        |_| "X-Copy".into() => |t| t.to_owned(),
        |_| "X-Copy".into() => |t| format!("Bearer {t}"),
        |_| "X-Copy".into() => |t| signature(t).to_owned(),
        |_| "X-Copy".into() => |t| format!("x={}", signature(t)),
        |_| "X-Copy".into() => encoded,
        |_| "X-Copy".into() => |t| encoded(t).to_lowercase(),
        |_| "X-Copy".into() => |t| t.replace('.', "%2E"),
        |_| "X-Copy".into() => |t| STANDARD.encode(t),
        |_| "X-Copy".into() => |t| STANDARD.encode(format!("Bearer {t}")),
        |_| "X-Copy".into() => |t| STANDARD.encode(format!("a{t}")),
        |_| "X-Copy".into() => |t| STANDARD.encode(format!("ab{t}")),
        |_| "X-Copy".into() => |t| URL_SAFE.encode(format!("{t}abc")),
        |_| "X-Copy".into() => |t| URL_SAFE_NO_PAD.encode(format!("?{t}?")),
        |_| "X-Copy".into() => |t| STANDARD_NO_PAD.encode(format!("??{t}")),
        |_| "X-Copy".into() => |t| STANDARD.encode(signature(t)),
        |_| "X-Copy".into() => |t| encoded(&STANDARD.encode(format!("Bearer {t}"))),
        |_| "X-Copy".into() => |t| format!("a, b; c=\"{t}\", d"),
        |_| "Cookie".into() => |t| format!("session={t}; theme=dark"),
        |_| "Cookie2".into() => |t| format!("session={t}"),
        |_| "Referer".into() => |t| format!("https://app.example/?token={t}"),
        |_| "Baggage".into() => |t| format!("user=alice,token={}", encoded(t)),
        |_| "Tracestate".into() => |t| format!("vendor={t}"),
        |_| "X-Api-Key".into() => |t| t.to_owned(),
        |_| "x_api_key".into() => |_| "operator".into(),
        |_| "Proxy-Authorization".into() => |t| format!("Bearer {t}"),
        |_| "Proxy_Authorization".into() => |t| format!("Bearer {t}"),
        |_| "X-Forwarded-Access-Token".into() => |t| t.to_owned(),
        |_| "X-Forwarded-For".into() => |t| t.to_owned(),
        |_| "Forwarded".into() => |t| format!("for={t}"),
        |_| "X-Original-Url".into() => |t| format!("/x?t={t}"),
        |_| "Sec-WebSocket-Protocol".into() => |t| format!("bearer, {t}"),
        |_| "User-Agent".into() => |t| format!("agent/{t}"),
        |_| "If-None-Match".into() => |t| format!("\"{t}\""),
        |_| "X-Nominated".into() => |t| t.to_owned(),
        |_| "Trailer".into() => |t| format!("x-{t}"),
        |t| format!("X-{t}") => |_| "1".into(),
        |t| t.to_owned() => |t| t.to_owned(),
        |t| signature(t).to_ascii_uppercase() => |_| "1".into(),
    ]
}

/// Returns targets below `path` that repeat the token.
pub fn targets() -> Vec<fn(&str, &str) -> String> {
    vec![
        |path, t| format!("{path}/{t}"),
        |path, t| format!("{path}/{}/x", signature(t)),
        |path, t| format!("{path}?next={t}"),
        |path, t| format!("{path}?next={}", signature(t)),
        |path, t| format!("{path}?next={}", encoded(t)),
        |path, t| format!("{path}?next={}", URL_SAFE.encode(format!("Bearer {t}"))),
        |path, t| {
            format!(
                "{path}?next={}",
                STANDARD.encode(t).replace('+', "%2B").replace('/', "%2F")
            )
        },
        |path, t| format!("{path}?{t}"),
    ]
}

/// How the request presents the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented {
    AsBearer,
}

/// A chunked body whose trailers or extensions repeat the token.
pub struct Chunked(fn(&str) -> String);

impl Chunked {
    pub fn bytes(&self, path: &str, token: &str, presented: Presented) -> Vec<u8> {
        let Presented::AsBearer = presented;
        let ask = Ask::new("POST", path)
            .bearer(token)
            .field("Transfer-Encoding", "chunked")
            .field("Trailer", "x-copy");
        [ask.bytes(), (self.0)(token).into_bytes()].concat()
    }
}

pub fn bodies() -> Vec<Chunked> {
    vec![
        Chunked(|t| format!("5\r\nhello\r\n0\r\nX-Copy: {t}\r\n\r\n")),
        Chunked(|t| {
            format!("5\r\nhello\r\n0\r\nAuthorization: Bearer {t}\r\nCookie: s={t}\r\n\r\n")
        }),
        Chunked(|t| format!("5\r\nhello\r\n0\r\nX-{t}: 1\r\n\r\n")),
        Chunked(|t| format!("0\r\nX-Copy: {}\r\n\r\n", STANDARD.encode(t))),
    ]
}

/// Returns bytes that are not a request.
pub fn garbage(token: &str) -> Vec<Vec<u8>> {
    let head = format!("Host: api.example.com\r\nAuthorization: Bearer {token}\r\n");
    let many: String = (0..300).map(|n| format!("X-{n}: {token}\r\n")).collect();
    [
        format!("GET /orders/1 HTTP/1.1\r\n{head}Bad Name: {token}\r\n\r\n"),
        format!("GET /orders/1 HTTP/1.1\r\nHost: x\r\nAuthorization : Bearer {token}\r\n\r\n"),
        format!("GET /orders/1 HTTP/1.1\r\nHost: x\r\nX: a\r\n {token}\r\n\r\n"),
        format!("GET /orders/1 HTTP/9.9\r\n{head}\r\n"),
        format!("{token}\r\n\r\n"),
        format!("GET  {token}  HTTP/1.1\r\n{head}\r\n"),
        format!("GET /orders/1 HTTP/1.1\r\n{head}{many}\r\n"),
        format!("GET /orders/1 HTTP/1.1\r\n{head}Host: {token}\r\n\r\n"),
        format!("GET /orders/1 HTTP/1.1\r\n{head}X: \u{1}{token}\r\n\r\n"),
        format!("POST /orders/1 HTTP/1.1\r\n{head}Content-Length: {token}\r\n\r\n"),
        format!("POST /orders/1 HTTP/1.0\r\n{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!(
            "POST /orders/1 HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n{token}\r\n\r\n"
        ),
        format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{token}"),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// Returns requests that end in the middle.
pub fn abandoned(token: &str) -> Vec<Vec<u8>> {
    let whole = Ask::post("/orders/1", "x".repeat(1000))
        .bearer(token)
        .field("X-Copy", token);
    let whole = whole.bytes();
    [30, 200, whole.len() - 990, whole.len() - 1]
        .map(|end| whole[..end].to_vec())
        .to_vec()
}

/// Returns responses that are not usable.
pub fn broken_answers() -> Vec<&'static [u8]> {
    vec![
        b"",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
    ]
}
