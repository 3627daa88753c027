use super::*;
use crate::{
    clock::{Clock, ManualClock, SystemRandomness},
    jose::SealingKey,
    store::{Embedded, Lineage},
};
use std::time::Duration;

const NOW: i64 = 1_800_000_000;
const HOUR: Duration = Duration::from_secs(3_600);
const TERMS: RefreshTerms = RefreshTerms {
    idle: HOUR,
    absolute: Duration::from_secs(10 * 3_600),
};

struct Rig {
    families: Families,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

fn rig() -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(UnixTime::from_secs(NOW)));
    let path = folder.path().join("store");
    let store = Embedded::open(&path, clock.clone(), Arc::new(SystemRandomness)).unwrap();
    let key = SealingKey::generate().unwrap().key;
    let families = Families {
        store: Stores::Embedded(Arc::new(store)),
        keys: Arc::new(SealingKeys::new([key]).unwrap()),
        issuer: "https://g".into(),
        randomness: Arc::new(SystemRandomness),
        clock: clock.clone(),
    };
    Rig {
        families,
        clock,
        _folder: folder,
    }
}

impl Rig {
    async fn begin(&self) -> (FamilyId, RawToken) {
        let id = self.families.new_id().unwrap();
        let ends = self.clock.now().plus(TERMS.absolute);
        let lineage = Lineage::new([id.key()], UnixTime::from_secs(NOW)).unwrap();
        let subject = FamilySubject {
            issuer: "https://idp".to_owned(),
            sub: "alice".to_owned(),
            client_id: "portal".to_owned(),
            audiences: vec!["orders".to_owned()],
            scope: "openid offline_access".to_owned(),
            act: None,
            app_only: false,
            impersonated: false,
            impersonator: None,
            claims: serde_json::Map::new(),
            issued_at: Some(NOW),
            expires_at: ends.as_secs(),
            lineage: FamilySubject::lineage_text(&lineage),
        };
        let begun = self
            .families
            .begin(id, subject, ErrorDialect::Standard, TERMS, ends);
        (id, begun.await.unwrap())
    }

    async fn find(&self, token: &RawToken) -> Found {
        let handle = self.families.open(token).unwrap();
        self.families.find(handle, "portal").await.unwrap()
    }

    async fn current(&self, token: &RawToken) -> Member {
        match self.find(token).await {
            Found::Current(member) => *member,
            Found::Reused(..) | Found::Gone => panic!("not the newest"),
        }
    }

    async fn next(&self, token: &RawToken) -> RawToken {
        let member = self.current(token).await;
        match self.families.rotate(member, TERMS).await.unwrap() {
            Rotated::To(next) => next,
            Rotated::Reused(..) => panic!("another request was faster"),
        }
    }

    fn is_ended(&self, id: FamilyId) -> bool {
        let lineage = Lineage::new([id.key()], UnixTime::from_secs(NOW)).unwrap();
        self.families.store.revocations().ends(&lineage)
    }
}

#[tokio::test]
async fn each_token_gives_the_next_and_is_known_as_used_from_then_on() {
    let rig = rig();
    let (id, first) = rig.begin().await;
    let second = rig.next(&first).await;
    let third = rig.next(&second).await;
    for used in [&first, &second] {
        assert!(matches!(rig.find(used).await, Found::Reused(reused, _) if reused == id));
    }
    assert!(matches!(rig.find(&third).await, Found::Current(_)));
}

#[tokio::test]
async fn of_two_that_use_one_token_at_once_one_learns_that_it_was_used() {
    let rig = rig();
    let (id, first) = rig.begin().await;
    let (one, other) = (rig.current(&first).await, rig.current(&first).await);
    let rotated = rig.families.rotate(one, TERMS).await.unwrap();
    assert!(matches!(rotated, Rotated::To(_)));
    let lost = rig.families.rotate(other, TERMS).await.unwrap();
    assert!(matches!(lost, Rotated::Reused(reused, _) if reused == id));
}

#[tokio::test]
async fn a_family_that_ended_gives_nothing_and_neither_does_what_came_of_it() {
    let rig = rig();
    let (id, first) = rig.begin().await;
    let newest = rig.next(&first).await;
    assert!(!rig.is_ended(id));
    rig.families
        .end(id, rig.clock.now().plus(HOUR), None)
        .await
        .unwrap();
    assert!(rig.is_ended(id));
    assert!(matches!(rig.find(&newest).await, Found::Gone));
}

#[tokio::test]
async fn a_token_is_good_for_its_own_client_alone() {
    let rig = rig();
    let (_, token) = rig.begin().await;
    let handle = rig.families.open(&token).unwrap();
    let found = rig.families.find(handle, "another").await.unwrap();
    assert!(matches!(found, Found::Gone));
}

#[tokio::test]
async fn a_token_that_is_not_used_grows_too_old_and_a_family_ends_at_last() {
    let rig = rig();
    let (_, mut token) = rig.begin().await;
    for _ in 0..10 {
        rig.clock.advance(HOUR - Duration::from_secs(1));
        token = rig.next(&token).await;
    }
    // ten hours after the start, minus the ten seconds
    rig.clock.advance(Duration::from_secs(10));
    assert!(matches!(rig.find(&token).await, Found::Gone));
    let (_, token) = rig.begin().await;
    rig.clock.advance(HOUR);
    assert!(matches!(rig.find(&token).await, Found::Gone));
}

#[tokio::test]
async fn what_was_not_sealed_as_a_refresh_token_of_this_issuer_is_none() {
    let rig = rig();
    let (_, token) = rig.begin().await;
    let text = String::from_utf8(token.expose().to_vec()).unwrap();
    let others = Families {
        issuer: "https://h".into(),
        ..rig.families.clone()
    };
    assert!(others.open(&token).is_none());
    for changed in [
        text.replacen("oborf_", "oboat_", 1),
        text[..text.len() - 1].to_owned(),
        format!("{text}A"),
        "oborf_".to_owned(),
        String::new(),
    ] {
        assert!(rig.families.open(&RawToken::from(changed)).is_none());
    }
}
