"""oauth4webapi (npm) as a client: prepares gateway, provider and tokens, and lets `oauth4webapi.mjs` do the rest."""

import json
import os
import subprocess
from pathlib import Path

import jwt
from lab import Lab, Signer, binary

CLIENTS = """
clients:
  - id: app
    authentication: { method: private_key_jwt, jwks_file: app.jwks }
    grants: [token_exchange, refresh_token]
    audiences: [aggregates, settings]
    scope: { allow: [openid, profile, email, offline_access, aggregates.read] }
    token_formats: [opaque, jwt, id_token]
    subjects_of: [portal]
    chain: { accept_own: true }
  - id: api@aggregates
    authentication: { method: client_secret_basic, secret: { file: aggregates.secret } }
    introspects: [aggregates]
"""
SECRET = "an API's secret: 50 % of it is + and /"


def main():
    app = Signer()
    private = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(app.key))
    files = {"app.jwks": json.dumps({"keys": [app.jwk]}), "aggregates.secret": SECRET}
    script = Path(os.environ["CLIENTS"], "node", "oauth4webapi.mjs")  # in the folder of the packages that npm installed
    with Lab(binary(), CLIENTS, path="/acme", files=files) as lab:
        subject = lab.token(scope="openid profile email offline_access aggregates.read")
        given = {"issuer": lab.url, "subject": subject, "key": {**private, "kid": app.kid}, "secret": SECRET}
        done = subprocess.run(
            ["node", str(script)], env={**os.environ, "GIVEN": json.dumps(given)}, stdout=subprocess.PIPE, text=True
        )
        print(done.stdout, end="")
        lab.checks = done.stdout.count("✔")
        if done.returncode or not lab.checks:
            raise SystemExit(done.returncode or 1)


main()
