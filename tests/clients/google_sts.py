"""Google's authentication library (google-auth) as a client of RFC 8693: google.oauth2.sts."""

import urllib.parse

import google.auth.transport.requests
from google.auth.exceptions import OAuthError
from google.oauth2 import sts, utils
from lab import Lab, binary, half_hash

TYPE = "urn:ietf:params:oauth:token-type:"
USER_ID = "urn:zitadel:params:oauth:token-type:user_id"
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
# this library does not form-encode the id and the secret, and such a client must be able to authenticate
SECRET = "s3cret-with-40-characters_and-no-encoding!"

CLIENTS = """
clients:
  - id: web@portal
    authentication: { method: client_secret_basic, secret: { file: web.secret } }
    grants: [token_exchange, refresh_token]
    audiences: [aggregates, settings]
    scope: { allow: [openid, profile, email, offline_access, aggregates.read] }
    token_formats: [opaque, jwt, id_token]
    subjects_of: [portal]
    chain: { accept_own: true }
    resources: [ { resource: https://aggregates.example.com, audience: aggregates } ]
    impersonation: { may_act_for: any, subjects: [user_id] }
  - id: form
    authentication: { method: client_secret_post, secret: { file: form.secret } }
    grants: [token_exchange]
    audiences: [aggregates]
    scope: { allow: [aggregates.read] }
    token_formats: [jwt]
    subjects_of: [portal]
"""

DIRECTORY = """
users:
  - { id: alice, claims: { name: Alice }, organizations: [ { id: acme, roles: [] } ] }
  - { id: sam, permissions: [ { name: impersonate, within: own_organizations } ], organizations: [ { id: acme, roles: [] } ] }
"""


def refused(lab, what, error, call):
    try:
        found = call()
    except OAuthError as raised:
        found = raised.args[0]
    lab.holds(f"refused: {what}", found.startswith(f"Error code {error}"), found)


def main():
    files = {"web.secret": SECRET, "form.secret": "another-secret-of-some-length-0123456789"}
    with Lab(binary(), CLIENTS, files=files, directory=DIRECTORY) as lab:
        endpoint = lab.url + "/oauth/v2/token"
        request = google.auth.transport.requests.Request()
        basic = utils.ClientAuthentication(utils.ClientAuthType.basic, "web@portal", SECRET)
        client = sts.Client(endpoint, basic)
        subject = lab.token()

        def exchange(by=client, token=subject, kind="access_token", **more):
            return by.exchange_token(request, GRANT, token, TYPE + kind, **more)

        answer = exchange(audience="aggregates", scopes=["aggregates.read"])
        lab.holds("an opaque token by default", "." not in answer["access_token"], answer)
        lab.holds("… of the type that was asked for", answer["issued_token_type"] == TYPE + "access_token")
        lab.holds("… with the scope that was asked for", answer["scope"] == "aggregates.read", answer)
        opaque = answer["access_token"]

        answer = exchange(token=opaque, requested_token_type=TYPE + "jwt")
        claims = lab.verified(answer["access_token"], "aggregates")
        lab.holds("opaque to JWT: the same person", claims["sub"] == "alice", claims)
        lab.holds("… for the same API", claims["aud"] == "aggregates", claims)

        answer = exchange(resource="https://aggregates.example.com", scopes=["openid"], requested_token_type=TYPE + "jwt")
        claims = lab.verified(answer["access_token"], "aggregates")
        lab.holds("a resource maps to its audience", claims["aud"] == "aggregates", claims)
        identity = lab.verified(answer["id_token"], "web@portal")
        lab.holds("openid adds an ID token", identity["azp"] == "web@portal", identity)
        lab.holds("… of that access token", identity["at_hash"] == half_hash(answer["access_token"]), identity)

        answer = exchange(token=opaque, requested_token_type=TYPE + "id_token")
        lab.holds("an ID token is no bearer token", answer["token_type"] == "N_A", answer)

        actor = lab.token(sub="sam", scope="openid")
        answer = client.exchange_token(
            request, GRANT, "alice", USER_ID, audience="aggregates", scopes=["openid", "profile", "offline_access"],
            requested_token_type=TYPE + "jwt", actor_token=actor, actor_token_type=TYPE + "access_token",
        )
        claims = lab.verified(answer["access_token"], "aggregates")
        lab.holds("impersonation names who acts", claims["act"] == {"iss": lab.provider, "sub": "sam"}, claims)

        refreshed = client.refresh_token(request, answer["refresh_token"])
        lab.holds("a refresh gives the next refresh token", refreshed["refresh_token"] != answer["refresh_token"])
        identity = lab.verified(refreshed["id_token"], "web@portal")
        lab.holds("… and keeps who acts", identity["act"] == claims["act"], identity)
        gone = client.revoke_token(request, refreshed["refresh_token"], "refresh_token", lab.url + "/oauth/v2/revoke")
        lab.holds("a revocation has an empty response", gone == {}, gone)
        last = refreshed["refresh_token"]
        refused(lab, "a revoked refresh token", "invalid_grant", lambda: client.refresh_token(request, last))

        body = utils.ClientAuthentication(utils.ClientAuthType.request_body, "form", files["form.secret"])
        answer = exchange(by=sts.Client(endpoint, body), audience="aggregates", scopes=["aggregates.read"])
        lab.holds("the secret in the form", lab.verified(answer["access_token"], "aggregates")["client_id"] == "form")

        refused(lab, "a scope that the user does not have", "invalid_scope", lambda: exchange(scopes=["offline_access"]))
        refused(lab, "an unknown audience", "invalid_target", lambda: exchange(audience="payroll"))
        refused(lab, "a token with an invalid signature", "invalid_request", lambda: exchange(token=subject[:-8] + "AAAAAAAA"))
        wrong = utils.ClientAuthentication(utils.ClientAuthType.basic, "web@portal", urllib.parse.quote("wrong"))
        refused(lab, "a wrong secret", "invalid_client", lambda: exchange(by=sts.Client(endpoint, wrong)))
        options = exchange(audience="aggregates", scopes=["aggregates.read"], additional_options={"userProject": "1"})
        lab.holds("a parameter of the library's own is ignored", options["token_type"] == "Bearer", options)


main()
