"""Microsoft's authentication library (MSAL for Python) on behalf of a user, over TLS, with the gateway as `oidc_authority`."""

import json
import os
import time
import uuid

import msal
from lab import Certified, Lab, Signer, binary

# `requests` prefers these variables to the CA file that it gets as an argument
for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
    os.environ.pop(name, None)

SECRET = "a-secret-for-the-middle-tier-0123456789"

CLIENTS = """
clients:
  - id: portal
    authentication: { method: client_secret_post, secret: { file: portal.secret } }
    grants: [entra_obo, refresh_token]
    audiences: [aggregates, settings]
    scope: { allow: [openid, profile, offline_access, aggregates.read] }
    token_formats: [jwt]
  - id: signer
    authentication: { method: private_key_jwt, jwks_file: signer.jwks }
    grants: [entra_obo]
    audiences: [aggregates]
    scope: { allow: [aggregates.read] }
    token_formats: [jwt]
    subjects_of: [portal]
  - id: certified
    authentication: { method: private_key_jwt, jwks_file: certified.jwks, assertion_reuse: until_expiry }
    grants: [entra_obo, refresh_token]
    audiences: [aggregates]
    scope: { allow: [openid, profile, offline_access, aggregates.read] }
    token_formats: [jwt]
    subjects_of: [portal]
"""


def main():
    own = Signer()
    certified = Certified("certified")
    files = {
        "portal.secret": SECRET,
        "signer.jwks": json.dumps({"keys": [own.jwk]}),
        "certified.jwks": json.dumps({"keys": [certified.jwk]}),
    }
    with Lab(binary(), CLIENTS, path="/acme", tls=True, files=files) as lab:
        def application(client, credential):
            return msal.ConfidentialClientApplication(
                client, client_credential=credential, oidc_authority=lab.url, verify=lab.ca
            )

        def on_behalf_of(app, scopes=("api://aggregates/.default",), **changes):
            token = lab.token(scope="openid profile offline_access aggregates.read", **changes)
            return app.acquire_token_on_behalf_of(token, list(scopes))

        portal = application("portal", SECRET)
        answer = on_behalf_of(portal)
        lab.holds("a token on behalf of the user", "access_token" in answer, answer)
        claims = lab.verified(answer["access_token"], "aggregates")
        lab.holds("… for the API alone", claims["aud"] == "aggregates", claims)
        lab.holds("… for the same person", claims["sub"] == "alice", claims)
        lab.holds("… issued to the middle tier", claims["client_id"] == "portal", claims)
        lab.holds("… within what the client may have", "email" not in claims["scope"], claims)
        lab.holds("… by `.default`, all of it", "aggregates.read" in claims["scope"].split(), claims)
        lab.holds("… with a lifetime as a number", 0 < int(answer["expires_in"]) <= 3600, answer)

        answer = on_behalf_of(portal, ["aggregates/aggregates.read"])
        claims = lab.verified(answer["access_token"], "aggregates")
        lab.holds("a scope by its name", "aggregates.read" in claims["scope"].split(), claims)

        accounts = portal.get_accounts()
        lab.holds("MSAL knows the account", len(accounts) == 1, accounts)
        again = portal.acquire_token_silent_with_error(["api://aggregates/.default"], accounts[0], force_refresh=True)
        lab.holds("MSAL refreshes by itself", again and "access_token" in again, again)
        refreshed = lab.verified(again["access_token"], "aggregates")
        lab.holds("… a new token", refreshed["jti"] != claims["jti"], refreshed)
        lab.holds("… for the same person", refreshed["sub"] == "alice", refreshed)

        def assertion(context):
            now = int(time.time())
            claims = {"iss": "signer", "sub": "signer", "aud": context["token_endpoint"], "iat": now, "exp": now + 60}
            return own.sign({**claims, "jti": uuid.uuid4().hex}, typ="JWT")

        signer = application("signer", {"client_assertion": assertion})
        for time_ in ("first", "second"):
            answer = on_behalf_of(signer)
            lab.holds(f"an assertion instead of a secret, the {time_} time", "access_token" in answer, answer)

        # MSAL signs one assertion in nine minutes, without `kid`, with fractions of seconds in its times
        app = application("certified", {"private_key": certified.private_key, "public_certificate": certified.certificate})
        for time_ in ("first", "second"):
            answer = on_behalf_of(app, ["aggregates/aggregates.read"])
            lab.holds(f"a certificate instead of a secret, the {time_} time", "access_token" in answer, answer)
            claims = lab.verified(answer["access_token"], "aggregates")
            lab.holds("… issued to the client with the certificate", claims["client_id"] == "certified", claims)
        again = app.acquire_token_silent_with_error(
            ["aggregates/aggregates.read"], app.get_accounts()[0], force_refresh=True
        )
        lab.holds("… and a refresh with the same assertion", again and "access_token" in again, again)
        other = Certified("certified")
        answer = on_behalf_of(
            application("certified", {"private_key": other.private_key, "public_certificate": other.certificate})
        )
        lab.holds("refused: another certificate of the same name", answer.get("error") == "invalid_client", answer)

        def refused(what, answer, error):
            lab.holds(f"refused: {what}", answer.get("error") == error, answer)
            lab.holds("… in Entra's shape", {"error_codes", "timestamp", "trace_id", "correlation_id"} <= answer.keys(), answer)
            lab.holds("… with its number", answer["error_description"].startswith("AADSTS"), answer)

        refused("a token that has expired", on_behalf_of(portal, exp=int(time.time()) - 1), "invalid_grant")
        refused("an application's own token", on_behalf_of(portal, sub="portal"), "invalid_grant")
        refused("a token for another client", on_behalf_of(portal, aud="payroll", client_id="payroll"), "invalid_grant")
        answer = on_behalf_of(application("portal", "wrong"))
        lab.holds("refused: a wrong secret", answer.get("error") == "invalid_client", answer)


main()
