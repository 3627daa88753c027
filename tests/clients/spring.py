"""Spring Security's token exchange (spring-security-oauth2-client): prepares gateway, provider and tokens, and lets
`TokenExchange.java` do the rest."""

import json
import os
import subprocess
import time
from pathlib import Path

from lab import Lab, binary

SECRET = "a-secret-for-the-resource-server-0123456789"

CLIENTS = """
clients:
  - id: basic
    authentication: { method: client_secret_basic, secret: { file: secret } }
    grants: [token_exchange]
    audiences: [aggregates, settings]
    scope: { allow: [aggregates.read] }
    token_formats: [jwt]
    subjects_of: [portal]
    chain: { accept_own: true }
  - id: post
    authentication: { method: client_secret_post, secret: { file: secret } }
    grants: [token_exchange]
    audiences: [aggregates]
    scope: { allow: [aggregates.read] }
    token_formats: [jwt]
    subjects_of: [portal]
"""


def main():
    jars = Path(os.environ["CLIENTS"], "spring", "target", "jars")  # what Maven built and downloaded
    with Lab(binary(), CLIENTS, path="/acme", files={"secret": SECRET}) as lab:
        given = {
            "issuer": lab.url, "secret": SECRET, "user": lab.token(),
            "expired": lab.token(exp=int(time.time()) - 1), "anothers": lab.token(client_id="payroll"),
        }
        done = subprocess.run(
            ["java", "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-cp", f"{jars}/*", "TokenExchange"],
            env={**os.environ, "GIVEN": json.dumps(given)},
            stdout=subprocess.PIPE,
            encoding="utf-8",
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
