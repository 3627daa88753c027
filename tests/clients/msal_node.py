"""Microsoft's authentication library for Node (@azure/msal-node): prepares gateway, provider and tokens, and lets
`msal.mjs` do the rest, over TLS with a certificate of the gateway's own."""

import json
import os
import subprocess
import time
from pathlib import Path

from lab import Certified, Lab, binary

SECRET = "a-secret-for-the-middle-tier-0123456789"

# MSAL does not take a token from its cache that expires within five minutes.
CLIENTS = """
clients:
  - id: portal
    lifetime: 15m
    authentication: { method: client_secret_post, secret: { file: portal.secret } }
    grants: [entra_obo, refresh_token]
    audiences: [aggregates, settings]
    scope: { allow: [openid, profile, offline_access, aggregates.read] }
    token_formats: [jwt]
  - id: certified
    authentication: { method: private_key_jwt, jwks_file: certified.jwks, assertion_reuse: until_expiry }
    grants: [entra_obo]
    audiences: [aggregates]
    scope: { allow: [aggregates.read] }
    token_formats: [jwt]
    subjects_of: [portal]
  - id: strict
    authentication: { method: private_key_jwt, jwks_file: certified.jwks }
    grants: [entra_obo]
    audiences: [aggregates]
    scope: { allow: [aggregates.read] }
    token_formats: [jwt]
    subjects_of: [portal]
"""


def main():
    certified = Certified("certified")
    files = {"portal.secret": SECRET, "certified.jwks": json.dumps({"keys": [certified.jwk]})}
    script = Path(os.environ["CLIENTS"], "node", "msal.mjs")  # in the folder of the packages that npm installed
    with Lab(binary(), CLIENTS, path="/acme", tls=True, files=files) as lab:
        scope = "openid profile offline_access aggregates.read"
        given = {
            "issuer": lab.url,
            "users": [lab.token(scope=scope) for _ in range(8)],
            "expired": lab.token(scope=scope, exp=int(time.time()) - 1),
            "secret": SECRET,
            "certificate": {
                "thumbprintSha256": certified.sha256,
                "privateKey": certified.private_key,
                "x5c": certified.certificate,
            },
        }
        done = subprocess.run(
            ["node", str(script)],
            env={**os.environ, "GIVEN": json.dumps(given), "NODE_EXTRA_CA_CERTS": lab.ca},
            stdout=subprocess.PIPE,
            text=True,
        )
        *told, issued = done.stdout.splitlines() or [""]
        print("\n".join(told if issued.startswith("issued: ") else [*told, issued]))
        lab.checks = done.stdout.count("✔")
        if done.returncode or not lab.checks:
            raise SystemExit(done.returncode or 1)
        for token in json.loads(issued.removeprefix("issued: ")):
            claims = lab.verified(token, "aggregates")
            lab.holds("signed by the gateway, for the same person", claims["sub"] == "alice", claims)


main()
