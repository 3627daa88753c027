use super::*;

const USERS: &str = "
users:
  - id: alice
    claims: { name: Alice, email: alice@example.com }
    roles: [support]
    permissions: [ { name: impersonate, within: own_organizations } ]
    organizations: [ { id: acme, roles: [owner] } ]
  - { id: bob, organizations: [ { id: acme } ] }
  - { id: carol, organizations: [ { id: other } ] }
  - { id: dora, administrator: true, organizations: [ { id: acme } ] }
  - { id: erin, permissions: [ { name: impersonate_admin } ] }
  - { id: frank, permissions: [ { name: impersonate } ] }
";

fn may(actor: &str, subject: &str) -> bool {
    let directory = FileDirectory::parse(USERS).unwrap();
    let (actor, subject) = (directory.user(actor), directory.user(subject));
    actor.unwrap().may_impersonate(&subject.unwrap())
}

#[test]
fn a_permission_counts_for_whom_and_where_it_says_and_for_nobody_else() {
    for (actor, subject, permitted) in [
        ("alice", "bob", true),
        ("alice", "carol", false),
        ("alice", "dora", false),
        ("erin", "dora", true),
        ("erin", "bob", false),
        ("frank", "bob", true),
        ("frank", "carol", true),
        ("frank", "dora", false),
        ("bob", "carol", false),
    ] {
        assert_eq!(may(actor, subject), permitted, "{actor} for {subject}");
    }
}

#[test]
fn who_shares_no_organization_is_not_within_ones_own() {
    let directory = FileDirectory::parse(
        "users: [ { id: a, permissions: [ { name: impersonate, within: own_organizations } ] }, { id: b } ]",
    );
    let directory = directory.unwrap();
    let (a, b) = (directory.user("a").unwrap(), directory.user("b").unwrap());
    assert!(!a.may_impersonate(&b));
}

#[test]
fn an_id_is_compared_whole_and_in_its_case() {
    let directory = FileDirectory::parse(USERS).unwrap();
    assert!(directory.user("alice").is_some());
    for id in ["Alice", "alic", "alice ", ""] {
        assert!(directory.user(id).is_none(), "{id:?}");
    }
}

#[test]
fn a_mistake_is_reported_with_its_place() {
    for (text, reported) in [
        ("users: [ { id: '' } ]", "users[0].id: expected"),
        (
            "users: [ { id: a }, { id: a } ]",
            "users[1].id: a second user with the id \"a\"",
        ),
        ("users: [ { id: a, name: x } ]", "unknown field `name`"),
        ("users: [ { id: a, connected: [x] } ]", "unknown field"),
        ("roles: []\nusers: []", "unknown field `roles`"),
        ("users: [ { id: a, claims: { n: 1, n: 2 } } ]", "duplicate"),
        (
            "users: [ { id: a, permissions: [ { name: all } ] } ]",
            "unknown variant `all`",
        ),
        (
            "users: [ { id: a, permissions: [ { name: impersonate, within: all } ] } ]",
            "unknown variant `all`",
        ),
        (
            "users: [ { id: a, organizations: [ { id: '' } ] } ]",
            "users[0].organizations: expected",
        ),
        ("{}", "missing field `users`"),
    ] {
        let error = FileDirectory::parse(text).unwrap_err().to_string();
        assert!(error.contains(reported), "{text}: {error}");
    }
}

#[test]
fn debug_shows_nothing_about_a_person() {
    let directory = FileDirectory::parse(USERS).unwrap();
    assert!(!format!("{directory:?}").contains("example.com"));
}

#[test]
fn a_permission_that_is_said_to_count_within_nothing_is_a_mistake_and_does_not_count_everywhere() {
    for within in [
        "within:",
        "within: ~",
        "within: null",
        "within: \"\"",
        "within: []",
        "within: {}",
    ] {
        let text =
            format!("users: [ {{ id: a, permissions: [ {{ name: impersonate, {within} }} ] }} ]");
        let refused = FileDirectory::parse(&text);
        assert!(refused.is_err(), "{within}");
    }
    let text = "users: [ { id: a, permissions: [ { name: impersonate, within: } ] } ]";
    let error = FileDirectory::parse(text)
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("users[0].permissions[0].within:"),
        "{error}"
    );
}
