//! Impersonation: with the other user's token, with a plain user id, and with a JWT that the client signed.

use super::rig::{
    ACCESS_TOKEN, ADMINISTRATOR, APP, AUDIENCES, COLLEAGUE, END_USER, Guide, ID_TOKEN,
    IMPERSONATOR, JWT, STRANGER, USER_ID, WEB, audiences, granted, names, refused, scopes, text,
};
use crate::e2e::support::{Answer, lab::GATEWAY_ISSUER};
use serde_json::{Value, json};

fn all() -> Vec<&'static str> {
    let mut all = AUDIENCES.to_vec();
    all.sort_unstable();
    all
}

/// The guide's request: the end user by name, the impersonator by token, a JWT with the user's profile.
async fn by_user_id(guide: &Guide, subject: &str, actor: &str) -> Answer {
    let form = [
        ("subject_token", subject),
        ("subject_token_type", USER_ID),
        ("actor_token", actor),
        ("actor_token_type", ACCESS_TOKEN),
        ("requested_token_type", JWT),
        ("scope", "openid profile email"),
    ];
    guide.ask(&form).await
}

fn impersonator_of(guide: &Guide) -> Value {
    json!({"iss": guide.provider(), "sub": IMPERSONATOR})
}

#[tokio::test]
async fn delegation_by_token_names_the_actor() {
    let guide = Guide::start().await;
    let subject = guide.opaque(&guide.end_user()).await;
    let form = [
        ("subject_token", subject.as_str()),
        ("subject_token_type", ACCESS_TOKEN),
        ("actor_token", &guide.impersonator()),
        ("actor_token_type", ACCESS_TOKEN),
        ("requested_token_type", JWT),
    ];
    let answer = guide.exchange(&form).await;
    assert_eq!(answer["issued_token_type"], JWT);
    assert_eq!(
        scopes(&answer),
        [
            "aggregates.read",
            "email",
            "openid",
            "profile",
            "settings.write"
        ]
    );
    let claims = guide.claims(&text(&answer, "access_token")).await;
    assert_eq!(claims["sub"], END_USER);
    assert_eq!(audiences(&claims), all());
    assert_eq!(claims["act"], impersonator_of(&guide));
    let identity = guide.claims(&text(&answer, "id_token")).await;
    assert_eq!(identity["act"], claims["act"]);
    assert_eq!(identity["name"], "end user");
}

#[tokio::test]
async fn impersonation_by_user_id_gives_the_users_profile_and_names_the_impersonator() {
    let guide = Guide::start().await;
    let answer = by_user_id(&guide, END_USER, &guide.impersonator()).await;
    let answer = granted(&answer);
    assert_eq!(answer["issued_token_type"], JWT);
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(scopes(&answer), ["email", "openid", "profile"]);
    let claims = guide.claims(&text(&answer, "access_token")).await;
    assert_eq!(claims["sub"], END_USER);
    assert_eq!(
        audiences(&claims),
        all(),
        "the actor's, as the user has none"
    );
    assert_eq!(claims["act"], impersonator_of(&guide));
    let identity = guide.claims(&text(&answer, "id_token")).await;
    assert_eq!(
        names(&identity),
        [
            "act",
            "at_hash",
            "aud",
            "azp",
            "client_id",
            "email",
            "email_verified",
            "exp",
            "family_name",
            "gender",
            "given_name",
            "iat",
            "iss",
            "jti",
            "locale",
            "name",
            "nickname",
            "preferred_username",
            "sub",
            "updated_at"
        ],
        "nothing of the actor's: neither auth_time nor amr"
    );
    assert_eq!(identity["iss"], GATEWAY_ISSUER);
    assert_eq!(identity["sub"], END_USER);
    assert_eq!(identity["azp"], WEB.id);
    assert_eq!(identity["act"], claims["act"]);
    assert_eq!(identity["updated_at"], 1_711_016_296);
    assert_eq!(identity["email_verified"], true);
}

#[tokio::test]
async fn impersonation_by_a_jwt_that_the_client_signed() {
    let guide = Guide::start().await;
    let form = [
        ("subject_token", &*guide.self_signed(END_USER)),
        ("subject_token_type", JWT),
        ("actor_token", &guide.impersonator()),
        ("actor_token_type", ACCESS_TOKEN),
        ("requested_token_type", JWT),
        ("scope", "openid profile email"),
    ];
    let answer = granted(&guide.ask_by_assertion(&form).await);
    assert_eq!(scopes(&answer), ["email", "openid", "profile"]);
    let claims = guide.claims(&text(&answer, "access_token")).await;
    assert_eq!(claims["sub"], END_USER);
    assert_eq!(claims["client_id"], APP);
    assert_eq!(claims["act"], impersonator_of(&guide));
    let identity = guide.claims(&text(&answer, "id_token")).await;
    assert_eq!(
        (&identity["azp"], &identity["client_id"]),
        (&json!(APP), &json!(APP))
    );
    assert_eq!(identity["act"], claims["act"]);
}

#[tokio::test]
async fn an_id_token_of_the_impersonator_is_as_good() {
    let guide = Guide::start().await;
    let actor = guide.id_token(json!({"sub": IMPERSONATOR}));
    let form = [
        ("subject_token", END_USER),
        ("subject_token_type", USER_ID),
        ("actor_token", &actor),
        ("actor_token_type", ID_TOKEN),
        ("requested_token_type", JWT),
        ("scope", "openid"),
    ];
    let answer = guide.exchange(&form).await;
    let claims = guide.claims(&text(&answer, "access_token")).await;
    assert_eq!(claims["sub"], END_USER);
    assert_eq!(claims["act"], impersonator_of(&guide));
}

#[tokio::test]
async fn the_actor_may_present_an_opaque_token() {
    let guide = Guide::start().await;
    let actor = guide.opaque(&guide.impersonator()).await;
    let answer = granted(&by_user_id(&guide, END_USER, &actor).await);
    let claims = guide.claims(&text(&answer, "access_token")).await;
    assert_eq!(claims["sub"], END_USER);
    assert_eq!(claims["act"]["sub"], IMPERSONATOR);
    assert_eq!(claims["act"].get("act"), None);
}

#[tokio::test]
async fn impersonation_goes_together_with_another_type_scope_and_audience() {
    let guide = Guide::start().await;
    let form = [
        ("subject_token", END_USER),
        ("subject_token_type", USER_ID),
        ("actor_token", &guide.impersonator()),
        ("actor_token_type", ACCESS_TOKEN),
        ("requested_token_type", ID_TOKEN),
        ("scope", "openid email"),
        ("audience", "aggregates"),
    ];
    let answer = guide.exchange(&form).await;
    assert_eq!(answer["token_type"], "N_A");
    let identity = guide.claims(&text(&answer, "access_token")).await;
    assert_eq!(audiences(&identity), ["aggregates", WEB.id]);
    assert_eq!(identity["act"], impersonator_of(&guide));
    assert_eq!(identity["email"], "tim+end-user@example.com");
    assert_eq!(identity.get("name"), None);
}

#[tokio::test]
async fn an_impersonated_token_never_acts() {
    let guide = Guide::start().await;
    let answer = granted(&by_user_id(&guide, END_USER, &guide.impersonator()).await);
    for (token, kind) in [("access_token", ACCESS_TOKEN), ("id_token", ID_TOKEN)] {
        let form = [
            ("subject_token", COLLEAGUE),
            ("subject_token_type", USER_ID),
            ("actor_token", &text(&answer, token)),
            ("actor_token_type", kind),
        ];
        refused(&guide.ask(&form).await, "invalid_request");
    }
}

#[tokio::test]
async fn nobody_impersonates_without_the_permission_for_this_user() {
    let guide = Guide::start().await;
    let actor = |sub: &str| guide.signed_in(json!({"sub": sub, "scope": "openid"}));
    for (subject, actor, why) in [
        (END_USER, actor(COLLEAGUE), "the actor has no permission"),
        (
            END_USER,
            actor("nobody"),
            "the directory does not know the actor",
        ),
        (
            ADMINISTRATOR,
            guide.impersonator(),
            "the user is an administrator",
        ),
        (
            STRANGER,
            guide.impersonator(),
            "the user is in another organisation",
        ),
        (
            "259242000000000000",
            guide.impersonator(),
            "there is no such user",
        ),
    ] {
        let answer = by_user_id(&guide, subject, &actor).await;
        assert_eq!(answer.status(), 400, "{why}");
        refused(&answer, "invalid_request");
    }
    let events = guide.lab.audit();
    assert!(!events.contains(r#""event":"impersonation""#), "{events}");
}

#[tokio::test]
async fn an_impersonation_is_on_record_beside_the_token_that_was_issued() {
    let guide = Guide::start().await;
    granted(&by_user_id(&guide, END_USER, &guide.impersonator()).await);
    let events = guide.lab.audit();
    let events: Vec<Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |name: &str| events.iter().find(|event| event["event"] == name);
    let issued = of("token_issued").expect("no token_issued");
    let impersonation = of("impersonation").expect("no impersonation");
    assert_eq!(
        impersonation["actor"],
        json!({"issuer": guide.provider(), "user_id": IMPERSONATOR})
    );
    assert_eq!(impersonation["application_id"], WEB.id);
    assert_eq!(issued["subject"], END_USER, "{issued}");
}
