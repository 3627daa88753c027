//! Descriptions of a route's rules and of the values that they were compared with, for `explain`.

use super::{
    AUTHORIZATION_DETAILS, DetailsRule, ExchangePolicy, Operation, OperationId, SubjectKinds,
    client::ClientCeiling,
};
use crate::{clock::UnixTime, telemetry::Facts, verify::SubjectToken};

pub(super) fn caller(policy: &ExchangePolicy, subject: &SubjectToken) -> Facts {
    let found = subject.client_id().unwrap_or("none named");
    match &policy.clients {
        None => Facts::new(found, "any"),
        Some(admitted) => {
            let admitted: Vec<&str> = admitted.iter().map(String::as_str).collect();
            Facts::new(found, admitted.join(", "))
        }
    }
}

pub(super) fn subject_kind(policy: &ExchangePolicy, subject: &SubjectToken) -> Facts {
    let found = match subject.application_mark() {
        Some(mark) => format!("an application: {mark}"),
        None => "a user".to_owned(),
    };
    let wanted = match policy.subjects {
        SubjectKinds::Users => "a user",
        SubjectKinds::Any => "any",
    };
    Facts::new(found, wanted)
}

pub(super) fn authorization_details(policy: &ExchangePolicy, subject: &SubjectToken) -> Facts {
    let found = match subject.claims().get(AUTHORIZATION_DETAILS) {
        None => "none",
        Some(_) => "present",
    };
    let wanted = match policy.details {
        DetailsRule::Refuse => "none",
        DetailsRule::Copy => "none, or a list of objects with a type",
    };
    Facts::new(found, wanted)
}

pub(super) fn client_audience(policy: &ExchangePolicy, client: Option<&ClientCeiling>) -> Facts {
    let wanted = match client {
        None => "any: the client has no ceiling".to_owned(),
        Some(client) => client.observed_audiences(),
    };
    Facts::new(policy.audience(), wanted)
}

pub(super) fn operation(policy: &ExchangePolicy, id: Option<OperationId>) -> Facts {
    let operations = policy.scope.operations();
    if operations.is_empty() {
        return Facts::found("the route defines none");
    }
    let known: Vec<&str> = operations.iter().map(Operation::label).collect();
    let found = id.and_then(|id| operations.get(id));
    Facts::new(found.map_or("none", Operation::label), known.join("; "))
}

/// Describes which limit determined the expiry of the issued token.
pub(super) fn lifetime(
    policy: &ExchangePolicy,
    client: Option<&ClientCeiling>,
    subject: &SubjectToken,
    now: UnixTime,
    expires_at: UnixTime,
) -> Facts {
    let of_client = client.and_then(|client| client.lifetime);
    let decided = if expires_at == subject.expires_at() {
        "the presented token expires then"
    } else if of_client.is_some_and(|most| most < policy.lifetime) {
        "the caller's lifetime"
    } else {
        "the route's lifetime"
    };
    let mut bounds = vec![
        format!("route {} s", policy.lifetime.as_secs()),
        format!(
            "presented token {} s",
            subject.expires_at().since(now).as_secs()
        ),
    ];
    if let Some(most) = of_client {
        bounds.insert(1, format!("caller {} s", most.as_secs()));
    }
    let life = expires_at.since(now).as_secs();
    Facts::new(
        format!("{life} s: {decided}"),
        format!("the shortest of {}", bounds.join(", ")),
    )
}
