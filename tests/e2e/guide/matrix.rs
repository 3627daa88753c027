//! Every cell of the guide's table of token types that says "not allowed", or allows something in combination only.

use super::rig::{
    ACCESS_TOKEN, END_USER, Guide, ID_TOKEN, IMPERSONATOR, JWT, REFRESH_TOKEN, USER_ID, refused,
    text,
};
use crate::e2e::support::Answer;
use serde_json::json;

/// The tokens of one run, each valid where it belongs.
struct Tokens {
    guide: Guide,
    subject: String,
    actor: String,
    refresh: String,
}

impl Tokens {
    async fn start() -> Self {
        let guide = Guide::start().await;
        let (subject, actor) = (guide.end_user(), guide.impersonator());
        let form = [
            ("subject_token", END_USER),
            ("subject_token_type", USER_ID),
            ("actor_token", &actor),
            ("actor_token_type", ACCESS_TOKEN),
            ("scope", "openid offline_access"),
        ];
        let refresh = text(&guide.exchange(&form).await, "refresh_token");
        Self {
            guide,
            subject,
            actor,
            refresh,
        }
    }

    async fn ask(&self, subject: (&str, &str), actor: Option<(&str, &str)>) -> Answer {
        let mut form = vec![
            ("subject_token", subject.0),
            ("subject_token_type", subject.1),
        ];
        if let Some((actor, kind)) = actor {
            form.extend([("actor_token", actor), ("actor_token_type", kind)]);
        }
        self.guide.ask(&form).await
    }

    async fn requested(&self, kind: &str) -> Answer {
        let form = [
            ("subject_token", self.subject.as_str()),
            ("subject_token_type", ACCESS_TOKEN),
            ("requested_token_type", kind),
        ];
        self.guide.ask(&form).await
    }
}

#[tokio::test]
async fn a_refresh_token_is_neither_subject_nor_actor_whatever_it_is_called() {
    let tokens = Tokens::start().await;
    let actor = (tokens.actor.as_str(), ACCESS_TOKEN);
    for kind in [REFRESH_TOKEN, ACCESS_TOKEN, ID_TOKEN, JWT, USER_ID] {
        let refresh = (tokens.refresh.as_str(), kind);
        refused(&tokens.ask(refresh, None).await, "invalid_request");
        refused(&tokens.ask(refresh, Some(actor)).await, "invalid_request");
        let subject = (tokens.subject.as_str(), ACCESS_TOKEN);
        refused(&tokens.ask(subject, Some(refresh)).await, "invalid_request");
    }
}

#[tokio::test]
async fn no_refresh_token_and_no_user_id_can_be_requested() {
    let tokens = Tokens::start().await;
    for kind in [
        REFRESH_TOKEN,
        USER_ID,
        "urn:ietf:params:oauth:token-type:saml2",
        "jwt",
    ] {
        refused(&tokens.requested(kind).await, "invalid_request");
    }
}

#[tokio::test]
async fn a_user_id_and_a_self_signed_jwt_are_nothing_without_an_actor() {
    let tokens = Tokens::start().await;
    let guide = &tokens.guide;
    refused(
        &tokens.ask((END_USER, USER_ID), None).await,
        "invalid_request",
    );
    let own = guide.self_signed(END_USER);
    let form = [("subject_token", own.as_str()), ("subject_token_type", JWT)];
    refused(&guide.ask_by_assertion(&form).await, "invalid_request");
}

#[tokio::test]
async fn a_user_id_and_a_self_signed_jwt_never_act() {
    let tokens = Tokens::start().await;
    let guide = &tokens.guide;
    let subject = (tokens.subject.as_str(), ACCESS_TOKEN);
    let actor = Some((IMPERSONATOR, USER_ID));
    refused(&tokens.ask(subject, actor).await, "invalid_request");
    let own = guide.self_signed(IMPERSONATOR);
    let form = [
        ("subject_token", tokens.subject.as_str()),
        ("subject_token_type", ACCESS_TOKEN),
        ("actor_token", own.as_str()),
        ("actor_token_type", JWT),
    ];
    refused(&guide.ask_by_assertion(&form).await, "invalid_request");
}

#[tokio::test]
async fn only_the_client_that_signed_a_jwt_may_present_it() {
    let tokens = Tokens::start().await;
    let own = tokens.guide.self_signed(END_USER);
    let actor = Some((tokens.actor.as_str(), ACCESS_TOKEN));
    refused(&tokens.ask((&own, JWT), actor).await, "invalid_request");
}

#[tokio::test]
async fn an_id_token_is_no_access_token_and_the_other_way_round() {
    let tokens = Tokens::start().await;
    let identity = tokens.guide.id_token(json!({}));
    refused(
        &tokens.ask((&identity, ACCESS_TOKEN), None).await,
        "invalid_request",
    );
    refused(
        &tokens.ask((&tokens.subject, ID_TOKEN), None).await,
        "invalid_request",
    );
    let actor = tokens.guide.id_token(json!({"sub": IMPERSONATOR}));
    let subject = (END_USER, USER_ID);
    refused(
        &tokens.ask(subject, Some((&actor, ACCESS_TOKEN))).await,
        "invalid_request",
    );
    refused(
        &tokens.ask(subject, Some((&tokens.actor, ID_TOKEN))).await,
        "invalid_request",
    );
}

#[tokio::test]
async fn an_expired_id_token_is_refused() {
    let tokens = Tokens::start().await;
    let past = tokens.guide.lab.now() - 1;
    let expired = tokens
        .guide
        .id_token(json!({"iat": past - 600, "exp": past}));
    refused(
        &tokens.ask((&expired, ID_TOKEN), None).await,
        "invalid_request",
    );
}

#[tokio::test]
async fn a_token_and_its_type_come_together() {
    let tokens = Tokens::start().await;
    let subject = ("subject_token", tokens.subject.as_str());
    let kind = ("subject_token_type", ACCESS_TOKEN);
    let actor = ("actor_token", tokens.actor.as_str());
    for form in [
        vec![subject],
        vec![kind],
        vec![subject, kind, actor],
        vec![subject, kind, ("actor_token_type", ACCESS_TOKEN)],
    ] {
        refused(&tokens.guide.ask(&form).await, "invalid_request");
    }
}

#[tokio::test]
async fn an_audience_that_neither_token_has_is_an_invalid_target() {
    let tokens = Tokens::start().await;
    let guide = &tokens.guide;
    let subject = guide.signed_in(json!({"sub": END_USER, "aud": ["portal", "aggregates"]}));
    for audience in ["settings", "elsewhere"] {
        let form = [
            ("subject_token", subject.as_str()),
            ("subject_token_type", ACCESS_TOKEN),
            ("audience", audience),
        ];
        refused(&guide.ask(&form).await, "invalid_target");
        let form = [&form[..], &[("audience", "aggregates")]].concat();
        refused(&guide.ask(&form).await, "invalid_target");
    }
}
