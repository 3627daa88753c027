"""Runs schemathesis on the description that the gateway serves: no request causes an error 500 or an undescribed response."""

import collections
import json
import os
import subprocess
import sys
from pathlib import Path

from lab import Lab, binary

SECONDS = int(os.environ.get("SECONDS_OF_FUZZING", "110"))  # for all of it
SECRET = "a-secret-for-the-fuzzed-client-0123456789"

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

# A description cannot state which tokens are valid, and for what. Most generated requests get valid ones, so that they are
# not refused only because of the token.
HOOKS = """
import itertools, json, os
import schemathesis

GIVEN = json.loads(os.environ["GIVEN"])
TYPE = "urn:ietf:params:oauth:token-type:"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
scopes = itertools.cycle(["openid profile offline_access", "aggregates.read", "openid offline_access email", "settings.write"])
turns = itertools.cycle(range(8))

@schemathesis.hook
def map_body(context, body):
    turn = next(turns)
    if not isinstance(body, dict) or turn == 0:
        return body
    changed = {name: GIVEN.get(name, value) for name, value in body.items()}
    if turn in (1, 2):
        return changed
    for name in ("client_id", "client_secret", "client_assertion", "client_assertion_type", "resource"):
        changed.pop(name, None)
    if "scope" in changed:
        changed["scope"] = next(scopes)
    if "assertion" in changed:
        changed["scope"] = "aggregates/.default offline_access"
    if changed.get("grant_type") == EXCHANGE:
        changed["audience"] = ["aggregates"] if turn < 7 else ["aggregates", "settings"]
        if "actor_token" in changed:
            changed["actor_token_type"] = TYPE + "access_token"
            changed.update(subject_token="alice", subject_token_type="urn:zitadel:params:oauth:token-type:user_id")
        else:
            changed["subject_token_type"] = TYPE + "access_token"
    return changed

# issued tokens are used in later requests
@schemathesis.hook
def after_call(context, case, response):
    try:
        issued = response.json()
    except Exception:
        return
    if isinstance(issued, dict) and issued.get("token_type") == "Bearer" and "access_token" in issued:
        GIVEN["token"] = issued["access_token"]
        if "refresh_token" in issued:
            GIVEN["refresh_token"] = issued["refresh_token"]
"""


def statuses(lab):
    """Returns how often the access log contains each status, and how often the audit log contains an issued token."""
    seen = collections.Counter()
    for line in (lab.at / "log").read_text().splitlines():
        entry = json.loads(line) if line.startswith("{") else {}
        if entry.get("method") == "POST":
            seen[entry["status"]] += 1
        seen["issued"] += entry.get("event") == "token_issued"
    return seen


def main():
    with Lab(binary(), CLIENTS, files={"web.secret": SECRET, "hooks.py": HOOKS}, directory=DIRECTORY) as lab:
        rights = "openid profile email offline_access aggregates.read"
        given = {
            "subject_token": lab.token(scope=rights), "actor_token": lab.token(sub="sam", scope="openid"),
            "assertion": lab.token(scope=rights, aud=["web", "portal", "aggregates"]),
        }
        done = subprocess.run(
            [
                Path(sys.executable).with_name("st"), "run", f"{lab.url}/oauth/v2/openapi.json", "--auth", f"web:{SECRET}",
                "--phases", "examples,coverage,fuzzing", "--max-examples", "200", "--max-time", str(SECONDS),
                # valid data may be refused: a token with a valid form is not necessarily valid; and a form contains only texts
                "--exclude-checks", "positive_data_acceptance,negative_data_rejection",
                "--warnings", "off", "--no-color", "--continue-on-failure", "--seed", "1",
            ],
            env={**os.environ, "GIVEN": json.dumps(given), "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(lab.at)},
            cwd=lab.at,
        )
        lab.holds("schemathesis found nothing", done.returncode == 0, done.returncode)
        lab.holds("the gateway still runs", lab.gateway.poll() is None)
        seen = statuses(lab)
        print("responses:", ", ".join(f"{status} ({times} times)" for status, times in sorted(seen.items(), key=str)))
        lab.holds("tokens were issued, and requests refused", seen[200] > 0 and seen[400] > 0 and seen["issued"] > 0, seen)


main()
