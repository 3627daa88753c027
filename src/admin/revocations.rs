//! `/revocations`: `POST` revokes, `DELETE` lifts, `GET` lists.
//!
//! Changes need a JSON body, and requests with an `Origin` field are refused. A web page can send only forms or plain
//! text without a preflight request, and preflight requests are refused.

use super::{
    Admin, JSON,
    entrance::{Credential, Purpose},
    error, not_allowed, refusal, response,
    revocation::{AskedToLift, AskedToRevoke, Caller, NotDone, Page},
};
use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_TYPE, ORIGIN, RETRY_AFTER},
};
use serde_json::Value;
use std::net::SocketAddr;

pub(super) async fn respond(admin: &Admin, request: &Request<Bytes>) -> Response<Bytes> {
    let purpose = match *request.method() {
        Method::GET => Purpose::Read,
        _ => Purpose::Revoke,
    };
    let credential = match admin.entrance.load().admit(request, purpose) {
        Ok(credential) => credential,
        Err(refused) => return refusal(refused),
    };
    if request.headers().contains_key(ORIGIN) {
        return error(
            StatusCode::FORBIDDEN,
            "access_denied",
            "web pages may not read or change revocations",
        );
    }
    let changes = match *request.method() {
        Method::GET => false,
        Method::POST | Method::DELETE => true,
        _ => {
            return not_allowed("GET, POST, DELETE", "only GET, POST and DELETE are allowed");
        }
    };
    if changes && !is_json(request) {
        return error(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "invalid_request",
            "the body is application/json",
        );
    }
    match perform(admin, request, credential).await {
        Ok(done) => response(StatusCode::OK, JSON, done.to_string()),
        Err(why) => not_done(&why),
    }
}

async fn perform(
    admin: &Admin,
    request: &Request<Bytes>,
    credential: Credential,
) -> Result<Value, NotDone> {
    let revoker = admin.revoker.load_full();
    let caller = Caller {
        credential: credential.as_str(),
        address: request.extensions().get().map(SocketAddr::ip),
    };
    match *request.method() {
        Method::POST => {
            let asked = AskedToRevoke::read(request.body())?;
            let done = revoker.revoke(&asked, &caller).await?;
            Ok(done.to_json())
        }
        Method::DELETE => {
            let asked = AskedToLift::read(request.body())?;
            let lifted = revoker.lift(&asked, &caller).await?;
            Ok(lifted.to_json())
        }
        _ => {
            let page = Page::read(request.uri().query()).ok_or(NotDone::Query)?;
            revoker.list(page)
        }
    }
}

/// Returns `true` if the media type is JSON, with any parameters.
fn is_json(request: &Request<Bytes>) -> bool {
    let written = request.headers().get(CONTENT_TYPE);
    written
        .and_then(|value| value.to_str().ok()?.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

fn not_done(why: &NotDone) -> Response<Bytes> {
    let text = why.to_string();
    match why {
        NotDone::Malformed
        | NotDone::Query
        | NotDone::HowLong
        | NotDone::NotForever
        | NotDone::NoTime => error(StatusCode::BAD_REQUEST, "invalid_request", &text),
        NotDone::UnknownIssuer(_)
        | NotDone::UnknownClient(_)
        | NotDone::UnknownKey(_)
        | NotDone::KeysNotThere
        | NotDone::NotAToken
        | NotDone::Expired => {
            let text = format!("{text}. `force: true` (--force) revokes it anyway");
            error(StatusCode::UNPROCESSABLE_ENTITY, "ends_nothing", &text)
        }
        NotDone::NotInForce => error(StatusCode::NOT_FOUND, "not_in_force", &text),
        NotDone::NotInForceBy(_) => error(StatusCode::CONFLICT, "not_in_force", &text),
        NotDone::NoStore => error(
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            "nothing can be revoked: the configuration has no store",
        ),
        NotDone::Store(cause) => {
            tracing::error!(%cause, "a revocation could not be written or lifted");
            let mut response = error(
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "the store cannot be written: the change is not confirmed",
            );
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("5"));
            response
        }
        NotDone::NotOnRecord | NotDone::LiftNotOnRecord => error(
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            &text,
        ),
    }
}
