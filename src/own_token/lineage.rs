//! The lineage of the gateway's own tokens: the keys whose revocation ends them.

use crate::{
    clock::UnixTime,
    store::{Lineage, RevocationKey},
    token::{ActorChain, Claims},
};

/// Returns the lineage of a token with `claims` that was signed with the key `kid`, if any: everything that it was made
/// from, the token itself, its key, its client and its actors. If the token does not contain what it was made from, its
/// `sub` is used instead.
///
/// Returns `None` if the claims are not those of an issued token, or if the lineage has more keys than the gateway
/// stores.
pub fn own_lineage(
    claims: &Claims,
    kid: Option<&str>,
    made_from: Option<&Lineage>,
) -> Option<Lineage> {
    let text = |name| claims.text(name).ok().flatten();
    let (iss, id) = (text("iss")?, text("jti")?);
    let mut keys = vec![RevocationKey::token(iss, id)];
    keys.extend(kid.map(|kid| RevocationKey::signing_key(iss, kid)));
    keys.extend(text("client_id").map(RevocationKey::client));
    if let Some(act) = claims.get("act") {
        let actors = ActorChain::parse(act).ok()?;
        // an actor without an issuer belongs to the issuer of the token
        let named = actors
            .iter()
            .map(|actor| RevocationKey::actor(actor.iss.as_deref().unwrap_or(iss), &actor.sub));
        keys.extend(named);
    }
    let issued_at = claims.second_of("iat").ok().flatten();
    match made_from {
        Some(made_from) => {
            let of_its_own = Lineage::new(keys, issued_at.unwrap_or(made_from.since())).ok()?;
            made_from.union(&of_its_own).ok()
        }
        None => {
            keys.push(RevocationKey::subject(iss, text("sub")?));
            let since = issued_at.unwrap_or(UnixTime::from_secs(0));
            Lineage::new(keys, since).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Limits;

    const CLAIMS: &str = r#"{"iss":"https://g","jti":"s.1","sub":"alice","client_id":"web","iat":100,
        "act":{"iss":"https://g","sub":"obo-gateway","act":{"iss":"https://p","sub":"agent"}}}"#;

    fn of(made_from: Option<&Lineage>) -> Lineage {
        let claims = Claims::parse(CLAIMS.as_bytes(), Limits::TOKEN).unwrap();
        own_lineage(&claims, Some("k"), made_from).unwrap()
    }

    #[test]
    fn it_names_the_token_its_key_its_client_and_each_actor() {
        let made_from = Lineage::new(
            [RevocationKey::token("https://p", "1")],
            UnixTime::from_secs(40),
        );
        let lineage = of(Some(&made_from.unwrap()));
        for key in [
            RevocationKey::token("https://p", "1"),
            RevocationKey::token("https://g", "s.1"),
            RevocationKey::signing_key("https://g", "k"),
            RevocationKey::client("web"),
            RevocationKey::actor("https://g", "obo-gateway"),
            RevocationKey::actor("https://p", "agent"),
        ] {
            assert!(lineage.keys().contains(&key), "{key:?}");
        }
        assert_eq!(lineage.keys().len(), 6);
        assert_eq!(lineage.since(), UnixTime::from_secs(40));
    }

    #[test]
    fn where_it_is_not_known_what_it_was_made_from_the_subject_is_that_of_the_token() {
        let lineage = of(None);
        let subject = RevocationKey::subject("https://g", "alice");
        assert!(lineage.keys().contains(&subject));
        assert_eq!(lineage.since(), UnixTime::from_secs(100));
    }
}
