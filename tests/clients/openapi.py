"""schemathesis over the description of the endpoints: whatever is sent, no fault of the gateway's, no answer undescribed."""

import json
import os
import subprocess
import sys
from pathlib import Path

from lab import Lab, binary

SECONDS = 150  # for all of it
SECRET = "a-secret-for-the-fuzzed-client-0123456789"
DESCRIPTION = Path(__file__).parents[2] / "docs" / "openapi.json"

CLIENTS = """
clients:
  - id: web
    authentication: { method: client_secret_basic, secret: { file: web.secret } }
    grants: [token_exchange, refresh_token, entra_obo]
    audiences: [aggregates, settings]
    scope: { allow: [openid, profile, email, offline_access, aggregates.read] }
    token_formats: [opaque, jwt, id_token]
    subjects_of: [portal]
    chain: { accept_own: true }
    impersonation: { may_act_for: any, subjects: [access_token, id_token, user_id] }
    introspects: [aggregates]
"""

DIRECTORY = """
users:
  - { id: alice, claims: { name: Alice }, organizations: [ { id: acme, roles: [] } ] }
  - { id: sam, permissions: [ { name: impersonate, within: own_organizations } ], organizations: [ { id: acme, roles: [] } ] }
"""

# What no description can say: which tokens are good. Most of what is generated gets good ones, so that it is not refused
# for that alone.
HOOKS = """
import json, os
import schemathesis

GIVEN = json.loads(os.environ["GIVEN"])
seen = 0

@schemathesis.hook
def map_body(context, body):
    global seen
    if not isinstance(body, dict):
        return body
    seen += 1
    if seen % 4 == 0:
        return body
    good = {
        "subject_token": GIVEN["subject"], "actor_token": GIVEN["actor"], "assertion": GIVEN["assertion"], "token": GIVEN["subject"],
    }
    changed = {name: good.get(name, value) for name, value in body.items()}
    if body.get("subject_token_type", "").endswith("user_id") if isinstance(body.get("subject_token_type"), str) else False:
        changed["subject_token"] = "alice"
    if seen % 2 == 0:
        for name in ("client_id", "client_secret", "client_assertion", "client_assertion_type"):
            changed.pop(name, None)
    return changed
"""


def main():
    with Lab(binary(), CLIENTS, files={"web.secret": SECRET, "hooks.py": HOOKS}, directory=DIRECTORY) as lab:
        given = {
            "subject": lab.token(), "actor": lab.token(sub="sam", scope="openid"), "assertion": lab.token(aud=["web", "portal"]),
        }
        done = subprocess.run(
            [
                Path(sys.executable).with_name("st"), "run", str(DESCRIPTION), "--url", lab.url, "--auth", f"web:{SECRET}",
                "--phases", "examples,coverage,fuzzing", "--max-examples", "200", "--max-time", str(SECONDS),
                # good data may be refused: a token is not good because its form is; and a form has texts only
                "--exclude-checks", "positive_data_acceptance,negative_data_rejection",
                "--warnings", "off", "--no-color", "--continue-on-failure", "--seed", "1",
            ],
            env={**os.environ, "GIVEN": json.dumps(given), "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(lab.at)},
            cwd=lab.at,
        )
        lab.holds("schemathesis found nothing", done.returncode == 0, done.returncode)
        lab.holds("the gateway still runs", lab.gateway.poll() is None)


main()
