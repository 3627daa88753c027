//! The actors of issued tokens, and whether they are authorized to act (RFC 8693 §4.1, §4.4).

use super::PolicyError;
use crate::{
    settings::fingerprint,
    telemetry::{DecisionObserver, DecisionStep, Facts},
    token::{Actor, ActorChain},
    verify::SubjectToken,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The gateway as an actor: `iss` and `sub` of the `act` claim that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayIdentity {
    /// `issuer.url`.
    pub issuer: Box<str>,
    /// `issuer.actor`.
    pub actor: Box<str>,
}

/// The party that `may_act` of a subject token must name.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownAs<'a> {
    issuer: &'a str,
    sub: &'a str,
}

impl GatewayIdentity {
    /// Returns the name of the gateway at the issuer of `subject` (RFC 8693 §4.4): the configured name in the issuer's
    /// namespace, or else the gateway's own name.
    pub(super) fn known_to<'a>(&'a self, subject: &'a SubjectToken) -> KnownAs<'a> {
        match subject.gateway_known_as() {
            Some(sub) => KnownAs {
                issuer: subject.issuer_url(),
                sub,
            },
            None => self.itself(),
        }
    }

    fn itself(&self) -> KnownAs<'_> {
        KnownAs {
            issuer: &self.issuer,
            sub: &self.actor,
        }
    }
}

/// The actor that the issued token names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutgoingActor {
    /// The gateway: `act` is `{ iss: issuer.url, sub: issuer.actor }`, with earlier actors nested inside.
    #[default]
    Gateway,
    /// No new actor (impersonation): the API cannot see that a gateway acts for the user. Earlier actors are kept.
    None,
}

fingerprint!(OutgoingActor = Gateway | None);

impl OutgoingActor {
    /// Returns the actor chain of the issued token: all of `earlier`, and the new actor outside it.
    ///
    /// # Errors
    /// [`PolicyError::NotAuthorizedActor`] and [`PolicyError::ActorChainTooDeep`].
    pub(super) fn extend(
        self,
        earlier: &ActorChain,
        may_act: Option<&Value>,
        known_as: KnownAs<'_>,
        gateway: &GatewayIdentity,
        max_depth: usize,
        observer: &mut impl DecisionObserver,
    ) -> Result<ActorChain, PolicyError> {
        observer.begin(DecisionStep::MayAct, || {
            let found = may_act.map_or_else(|| "absent".to_owned(), Value::to_string);
            Facts::new(
                found,
                format!("absent, or {} of {}", known_as.sub, known_as.issuer),
            )
        });
        // RFC 8693 §4.4: this is reliable because the subject token's signature was verified. It restricts the party
        // that makes the exchange, even if `act` does not name that party.
        if may_act.is_some_and(|claim| !names(claim, known_as)) {
            return Err(PolicyError::NotAuthorizedActor);
        }
        let chain = match self {
            Self::Gateway => earlier.acted_by(Actor::new(&gateway.issuer, &gateway.actor)),
            Self::None => earlier.clone(),
        };
        observer.begin(DecisionStep::ChainDepth, || {
            Facts::new(chain.depth(), format!("at most {max_depth}"))
        });
        if chain.depth() > max_depth {
            return Err(PolicyError::ActorChainTooDeep {
                depth: chain.depth(),
                allowed: max_depth,
            });
        }
        Ok(chain)
    }
}

/// Returns `true` if `may_act` names the gateway: its `sub`, and its `iss` if present.
fn names(may_act: &Value, gateway: KnownAs<'_>) -> bool {
    let Some(claim) = may_act.as_object() else {
        return false;
    };
    let is = |name: &str, expected: &str| claim.get(name).is_some_and(|value| value == expected);
    is("sub", gateway.sub) && (!claim.contains_key("iss") || is("iss", gateway.issuer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn gateway() -> GatewayIdentity {
        GatewayIdentity {
            issuer: "https://gw.example".into(),
            actor: "obo-gateway".into(),
        }
    }

    fn extend(
        earlier: &ActorChain,
        may_act: Option<&Value>,
        max_depth: usize,
    ) -> Result<ActorChain, PolicyError> {
        let gateway = gateway();
        OutgoingActor::Gateway.extend(
            earlier,
            may_act,
            gateway.itself(),
            &gateway,
            max_depth,
            &mut (),
        )
    }

    #[test]
    fn may_act_must_name_the_gateway_as_the_issuer_knows_it() {
        let known_as = KnownAs {
            issuer: "https://idp.example",
            sub: "gateway-app",
        };
        for (may_act, named) in [
            (json!({"sub": "gateway-app"}), true),
            (
                json!({"sub": "gateway-app", "iss": "https://idp.example"}),
                true,
            ),
            (
                json!({"sub": "gateway-app", "iss": "https://gw.example"}),
                false,
            ),
            (json!({"sub": "obo-gateway"}), false),
        ] {
            assert_eq!(names(&may_act, known_as), named, "{may_act}");
        }
    }

    #[test]
    fn may_act_must_name_the_gateway() {
        let extend = |may_act: Value| extend(&ActorChain::none(), Some(&may_act), 8);
        assert!(extend(json!({"sub": "obo-gateway"})).is_ok());
        assert!(extend(json!({"sub": "obo-gateway", "iss": "https://gw.example"})).is_ok());
        for other in [
            json!({"sub": "other"}),
            json!({"sub": "obo-gateway", "iss": "https://evil.example"}),
            json!({"sub": ["obo-gateway"]}),
            json!({}),
            json!("obo-gateway"),
            json!(null),
        ] {
            assert_eq!(
                extend(other.clone()),
                Err(PolicyError::NotAuthorizedActor),
                "{other}"
            );
        }
    }

    #[test]
    fn a_chain_grows_by_the_gateway_up_to_the_limit_and_is_never_cut() {
        let one = ActorChain::none().acted_by(Actor::new("https://a", "a"));
        let two = extend(&one, None, 2).unwrap();
        assert!(two.continues(&one));
        assert_eq!(
            two.current(),
            Some(&Actor::new("https://gw.example", "obo-gateway"))
        );
        assert_eq!(
            extend(&two, None, 2),
            Err(PolicyError::ActorChainTooDeep {
                depth: 3,
                allowed: 2
            })
        );
        assert_eq!(
            OutgoingActor::None.extend(&two, None, gateway().itself(), &gateway(), 2, &mut ()),
            Ok(two)
        );
    }
}
