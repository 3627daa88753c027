//! The grant `urn:ietf:params:oauth:grant-type:token-exchange` (RFC 8693).
//!
//! The format of every parameter is checked before a token is read, and the tokens are verified before the policy is
//! applied. A request is refused if any part of it is not permitted; no token is issued for the rest.

use super::{offline, parameters};
use crate::{
    policy::{ClientPolicy, DirectRequest},
    source::{self, PresentedToken},
    sts::{
        Issuing, Peer, TokenEndpointResponse,
        error::OAuthError,
        families::ErrorDialect,
        form::Form,
        issuing::Who,
        refused::{self, INVALID_REQUEST},
    },
    token::{TokenFormat, TokenTypeUri},
    verify::{ActorToken, SubjectToken},
};

/// The parameters of the form before anything is verified.
struct ExchangeForm<'a> {
    subject: Subject<'a>,
    actor: Option<(PresentedToken, TokenTypeUri)>,
    format: TokenFormat,
    /// The type as the client wrote it, or the default.
    requested: TokenTypeUri,
}

enum Subject<'a> {
    Token(PresentedToken, TokenTypeUri),
    /// A JWT that the client signed.
    SelfSigned(PresentedToken),
    /// The id of a user.
    User(&'a str),
}

const SUBJECT: &str = "the subject token is not acceptable";
const ACTOR: &str = "the actor token is not acceptable";

/// Handles a request of `client`.
pub(super) async fn respond(
    issuing: &Issuing,
    client: &ClientPolicy,
    form: &Form,
    peer: &Peer,
    who: &mut Who,
) -> Result<TokenEndpointResponse, OAuthError> {
    let asked = asked(form, client, issuing.token_limit)?;
    let (audience, resource) = (parameters::audiences(form)?, parameters::resources(form)?);
    let scope = parameters::scope(form)?;
    let actor = actor(issuing, client, asked.actor.as_ref()).await?;
    let subject = subject(issuing, client, &asked.subject, actor.as_ref()).await?;
    who.is(&subject);
    let request = DirectRequest {
        subject,
        actor,
        audience,
        resource,
        scope,
        format: asked.format,
    };
    let issued = offline::issue(
        issuing,
        client,
        request,
        ErrorDialect::Standard,
        peer,
        INVALID_REQUEST,
    );
    let (minted, refresh_token) = issued.await?;
    Ok(minted.exchange_response(asked.requested, refresh_token.as_ref(), &issuing.clock))
}

fn asked<'a>(
    form: &'a Form,
    client: &ClientPolicy,
    limit: usize,
) -> Result<ExchangeForm<'a>, OAuthError> {
    let subject = form.get("subject_token");
    let subject = subject.ok_or_else(|| OAuthError::invalid_request("subject_token is missing"))?;
    let declared = form.get("subject_token_type");
    let declared =
        declared.ok_or_else(|| OAuthError::invalid_request("subject_token_type is missing"))?;
    let actor = actor_parameters(form, limit)?;
    let needs_actor = |subject| match &actor {
        Some(_) => Ok(subject),
        None => Err(OAuthError::invalid_request(
            "a subject token of this type requires an actor token",
        )),
    };
    let subject = match TokenTypeUri::parse(declared) {
        Some(declared @ (TokenTypeUri::AccessToken | TokenTypeUri::IdToken)) => Subject::Token(
            source::form_token(subject, limit).map_err(parameters::not_a_token(SUBJECT))?,
            declared,
        ),
        Some(TokenTypeUri::Jwt) => {
            let token =
                source::form_token(subject, limit).map_err(parameters::not_a_token(SUBJECT))?;
            match &actor {
                Some(_) => Subject::SelfSigned(token),
                // a JWT that the client signed itself is accepted only together with an actor token
                None => Subject::Token(token, TokenTypeUri::Jwt),
            }
        }
        Some(TokenTypeUri::UserId) => needs_actor(Subject::User(subject))?,
        Some(TokenTypeUri::RefreshToken | TokenTypeUri::Saml1 | TokenTypeUri::Saml2) | None => {
            return Err(OAuthError::invalid_request(
                "subject tokens of this type are not accepted",
            ));
        }
    };
    let (requested, format) = requested(form, client)?;
    Ok(ExchangeForm {
        subject,
        actor,
        format,
        requested,
    })
}

/// RFC 8693 §2.1: the type is required with the token, and not permitted without it.
fn actor_parameters(
    form: &Form,
    limit: usize,
) -> Result<Option<(PresentedToken, TokenTypeUri)>, OAuthError> {
    match (form.get("actor_token"), form.get("actor_token_type")) {
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => Err(OAuthError::invalid_request(
            "actor_token and actor_token_type must be sent together",
        )),
        (Some(token), Some(declared)) => match TokenTypeUri::parse(declared) {
            Some(declared @ (TokenTypeUri::AccessToken | TokenTypeUri::IdToken)) => Ok(Some((
                source::form_token(token, limit).map_err(parameters::not_a_token(ACTOR))?,
                declared,
            ))),
            Some(
                TokenTypeUri::RefreshToken
                | TokenTypeUri::Jwt
                | TokenTypeUri::UserId
                | TokenTypeUri::Saml1
                | TokenTypeUri::Saml2,
            )
            | None => Err(OAuthError::invalid_request(
                "actor tokens of this type are not accepted",
            )),
        },
    }
}

/// Returns the requested token type, which the response repeats, and the token format.
fn requested(
    form: &Form,
    client: &ClientPolicy,
) -> Result<(TokenTypeUri, TokenFormat), OAuthError> {
    let not_issued = || OAuthError::invalid_request("tokens of this type are not issued");
    let requested = match form.get("requested_token_type") {
        None => TokenTypeUri::AccessToken,
        Some(text) => TokenTypeUri::parse(text).ok_or_else(not_issued)?,
    };
    let format = match requested {
        TokenTypeUri::AccessToken => client.access_format().ok_or_else(not_issued)?,
        TokenTypeUri::Jwt => TokenFormat::Jwt,
        TokenTypeUri::IdToken => TokenFormat::IdToken,
        TokenTypeUri::RefreshToken
        | TokenTypeUri::UserId
        | TokenTypeUri::Saml1
        | TokenTypeUri::Saml2 => return Err(not_issued()),
    };
    Ok((requested, format))
}

async fn actor(
    issuing: &Issuing,
    client: &ClientPolicy,
    presented: Option<&(PresentedToken, TokenTypeUri)>,
) -> Result<Option<ActorToken>, OAuthError> {
    let Some((presented, declared)) = presented else {
        return Ok(None);
    };
    let verified = issuing
        .verifier
        .actor(presented, *declared, client.terms())
        .await;
    verified
        .map(Some)
        .map_err(|error| refused::token(error, INVALID_REQUEST, ACTOR))
}

async fn subject(
    issuing: &Issuing,
    client: &ClientPolicy,
    presented: &Subject<'_>,
    actor: Option<&ActorToken>,
) -> Result<SubjectToken, OAuthError> {
    let (verifier, terms) = (&issuing.verifier, client.terms());
    let unacceptable = || OAuthError::invalid_request(SUBJECT);
    let verified = match (presented, actor) {
        (Subject::Token(token, declared), _) => verifier.subject(token, *declared, terms).await,
        (Subject::User(id), Some(actor)) => verifier.user(id, terms, actor),
        (Subject::SelfSigned(token), Some(actor)) => {
            // a client without keys cannot have signed the token
            let keys = client.authenticator().and_then(|client| client.keys());
            let keys = keys.ok_or_else(unacceptable)?;
            let once = &issuing.once;
            verifier.self_signed(token, keys, once, terms, actor).await
        }
        (Subject::User(_) | Subject::SelfSigned(_), None) => return Err(unacceptable()),
    };
    verified.map_err(|error| refused::token(error, INVALID_REQUEST, SUBJECT))
}
