//! Actors and actor chains: the `act` claim (RFC 8693 §4.1).

use serde_json::{Map, Value};
use thiserror::Error;

/// One party that acted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Actor {
    /// The issuer that knows the actor by `sub`. `None` if the token does not name it.
    pub iss: Option<Box<str>>,
    /// The actor's identity at `iss`.
    pub sub: Box<str>,
}

/// The actors of a token, the current one first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ActorChain(Vec<Actor>);

/// The reason why an `act` claim is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ActorError {
    /// A level is not an object with a string `sub`.
    #[error("an act claim is not an object with a sub")]
    Malformed,
    /// There are more levels than any policy allows.
    #[error("more than {allowed} actors")]
    TooDeep {
        /// The maximum number of levels.
        allowed: usize,
    },
}

impl Actor {
    /// Creates an actor with a known issuer.
    pub fn new(iss: &str, sub: &str) -> Self {
        Self {
            iss: Some(iss.into()),
            sub: sub.into(),
        }
    }
}

impl ActorChain {
    /// The maximum depth of a chain. Policies allow at most this.
    pub const MAX_DEPTH: usize = 8;

    /// Returns an empty chain.
    pub fn none() -> Self {
        Self::default()
    }

    /// Parses an `act` claim and the claims nested in it.
    ///
    /// # Errors
    /// [`ActorError`] if a level is malformed or there are more than [`Self::MAX_DEPTH`].
    pub fn parse(act: &Value) -> Result<Self, ActorError> {
        let mut chain = Vec::new();
        let mut level = Some(act);
        while let Some(value) = level {
            if chain.len() == Self::MAX_DEPTH {
                return Err(ActorError::TooDeep {
                    allowed: Self::MAX_DEPTH,
                });
            }
            let object = value.as_object().ok_or(ActorError::Malformed)?;
            chain.push(parse_actor(object)?);
            level = object.get("act");
        }
        Ok(Self(chain))
    }

    /// The number of actors.
    pub fn depth(&self) -> usize {
        self.0.len()
    }

    /// The current actor: the only one that is relevant for decisions (RFC 8693 §4.1).
    pub fn current(&self) -> Option<&Actor> {
        self.0.first()
    }

    /// Returns this chain with `actor` added as the newest, outermost actor.
    #[must_use]
    pub fn acted_by(&self, actor: Actor) -> Self {
        let mut chain = Vec::with_capacity(self.0.len() + 1);
        chain.push(actor);
        chain.extend(self.0.iter().cloned());
        Self(chain)
    }

    /// Returns `true` if this chain ends with all actors of `earlier`, in the same order.
    pub fn continues(&self, earlier: &Self) -> bool {
        self.0.ends_with(&earlier.0)
    }

    /// The actors, the current one first.
    pub fn iter(&self) -> impl Iterator<Item = &Actor> {
        self.0.iter()
    }

    /// Returns the `act` claim, or `None` for an empty chain.
    pub fn to_claim(&self) -> Option<Value> {
        self.0.iter().rev().fold(None, |nested, actor| {
            let mut object = Map::new();
            if let Some(iss) = &actor.iss {
                object.insert("iss".into(), Value::from(iss.as_ref()));
            }
            object.insert("sub".into(), Value::from(actor.sub.as_ref()));
            if let Some(nested) = nested {
                object.insert("act".into(), nested);
            }
            Some(Value::Object(object))
        })
    }
}

fn parse_actor(object: &Map<String, Value>) -> Result<Actor, ActorError> {
    let sub = object
        .get("sub")
        .and_then(Value::as_str)
        .ok_or(ActorError::Malformed)?;
    let iss = match object.get("iss") {
        None => None,
        Some(value) => Some(value.as_str().ok_or(ActorError::Malformed)?.into()),
    };
    Ok(Actor {
        iss,
        sub: sub.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_newest_actor_stands_outermost_and_none_is_lost() {
        let earlier =
            ActorChain::parse(&json!({"iss": "https://a", "sub": "one", "act": {"sub": "zero"}}))
                .unwrap();
        let chain = earlier.acted_by(Actor::new("https://gw", "gateway"));
        assert_eq!(
            chain.to_claim(),
            Some(json!({"iss": "https://gw", "sub": "gateway",
                "act": {"iss": "https://a", "sub": "one", "act": {"sub": "zero"}}}))
        );
        assert!(chain.continues(&earlier));
        assert!(!earlier.continues(&chain));
    }

    #[test]
    fn a_chain_that_is_too_deep_or_malformed_is_refused() {
        let mut act = json!({"sub": "a"});
        for _ in 0..ActorChain::MAX_DEPTH {
            act = json!({"sub": "a", "act": act});
        }
        assert!(matches!(
            ActorChain::parse(&act),
            Err(ActorError::TooDeep { .. })
        ));
        for act in [
            json!("a"),
            json!({}),
            json!({"sub": 1}),
            json!({"sub": "a", "iss": 1}),
            json!({"sub": "a", "act": null}),
        ] {
            assert_eq!(ActorChain::parse(&act), Err(ActorError::Malformed), "{act}");
        }
    }
}
