"""Causes every fault for which docs/metrics.md has an alert, and waits for the alert. Usage: run.py GATEWAY FOLDER"""

import base64, http.server, json, os, re, shutil, signal, socket, subprocess, sys, threading, time
import urllib.error, urllib.request

PROGRAM, WORK = sys.argv[1:]
WITHIN = 100  # seconds for all alerts
# Faults that exist from the start. All other alerts must not fire before their fault occurs.
FROM_THE_START = {"CertificateExpires", "ProviderKeysStale"}
started = []


def path(name):
    return os.path.join(WORK, name)


def write(name, text):
    with open(path(name), "w", encoding="utf-8") as file:
        file.write(text)


def free_ports(count):
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return ports


def start(*command):
    with open(path(os.path.basename(command[0]) + f".{len(started)}.log"), "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=WORK)
    started.append(process)
    return process


def wait_for(what, condition, seconds=20):
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            sys.exit(f"never came true: {what}")
        time.sleep(0.1)


def status(url, token=None):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


# ── A provider's key, and a token ──────────────────────────────────────────────────────────────────────────────────────
def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*arguments, data=None):
    return subprocess.run(("openssl", *arguments), input=data, check=True, capture_output=True).stdout


def make_key():
    openssl("genrsa", "-out", path("idp.pem"), "2048")
    modulus = openssl("rsa", "-in", path("idp.pem"), "-noout", "-modulus").split(b"=")[1].strip()
    key = {"kty": "RSA", "kid": "1", "alg": "RS256", "use": "sig", "e": "AQAB", "n": base64url(bytes.fromhex(modulus.decode()))}
    write("jwks.json", json.dumps({"keys": [key]}))
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
            "-keyout", path("tls.key"), "-out", path("tls.pem"))


def make_token(number):
    now = int(time.time())
    claims = {"iss": "https://idp.example.com", "sub": "alice", "aud": "portal", "client_id": "portal", "jti": f"{number}",
              "scope": "orders.read", "iat": now, "exp": now + 600}
    head = {"alg": "RS256", "typ": "at+jwt", "kid": "1"}
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
    return f"{signed}.{base64url(openssl('dgst', '-sha256', '-sign', path('idp.pem'), data=signed.encode()))}"


# ── An API that misbehaves ─────────────────────────────────────────────────────────────────────────────────────────────
class Api(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(401 if self.path.startswith("/refuses") else 200)
        if self.path.startswith("/repeats"):
            self.send_header("X-Debug", self.headers.get("Authorization", ""))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


# ── The gateways: one with a full disk and an unavailable second provider, and one with all other faults ───────────────
def configuration(port, admin, api, gone, extra, logs, routes):
    return f"""
listeners: [ {{ address: 127.0.0.1:{port} }}{extra.pop('listener', '')} ]
admin: {{ address: 127.0.0.1:{admin} }}
issuer:
  url: http://127.0.0.1:{port}
  signing_keys: [ {{ file: signing-{port}.pem, generate: ES256 }} ]
{extra.pop('issuer', '')}
trusted_issuers:
  - {{ name: corp, issuer: "https://idp.example.com", audiences: [portal], algorithms: [RS256], keys: {{ jwks_file: jwks.json }} }}
{gone}
routes:
""" + "".join(f"""
  - name: {name}
    match: {{ prefix: /{name} }}
    upstream: {{ targets: [ {{ url: "http://127.0.0.1:{api}" }} ] }}
    exchange: {{ accepts: [ {{ issuer: corp }} ], audience: orders-api, scope: {{ allow: [orders.read] }} }}
""" for name in routes) + f"""
telemetry: {{ log: {{ access: {{ file: {logs[0]} }} }}, audit: {{ file: {logs[1]} }} }}
""" + "\n".join(extra.values())


def firing(prometheus):
    with urllib.request.urlopen(f"http://127.0.0.1:{prometheus}/api/v1/alerts", timeout=5) as response:
        alerts = json.load(response)["data"]["alerts"]
    return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


def scrapes(prometheus):
    query = f"http://127.0.0.1:{prometheus}/api/v1/query?query=min(count_over_time(obo_build_info%5B5m%5D))"
    with urllib.request.urlopen(query, timeout=5) as response:
        result = json.load(response)["data"]["result"]
    return int(result[0]["value"][1]) if result else 0


def main():
    with open(path("rules.yml"), encoding="utf-8") as file:
        rules = file.read()
    expected = set(re.findall(r"- alert: (\w+)", rules))
    assert expected, "no rules on the page"
    write("quick.yml", re.sub(r"for: \d+[mh]", "for: 1s", re.sub(r"\[\d+[mh]\]", "[15s]", rules)))

    make_key()
    api = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    full, full_admin, other, other_admin, tls, redis, prometheus, nobody = free_ports(8)
    gone = f"""  - {{ name: gone, issuer: "https://gone.example.com", audiences: [portal], algorithms: [RS256], required: false,
      keys: {{ jwks_uri: "http://127.0.0.1:{nobody}/keys" }} }}"""
    write("full.yaml", configuration(full, full_admin, api.server_port, gone, {}, ("/dev/full", "/dev/full"), ["orders"]))
    extra = {
        "listener": f", {{ address: 127.0.0.1:{tls}, tls: {{ certificate: tls.pem, private_key: tls.key }} }}",
        "limits": "limits: { connections_per_address: 8 }",
    }
    store = None
    if shutil.which("redis-server"):
        store = start("redis-server", "--port", str(redis), "--bind", "127.0.0.1", "--save", "", "--dir", WORK)
        wait_for("Redis listens", lambda: socket.create_connection(("127.0.0.1", redis)).close() is None)
        os.environ["REDIS_URL"] = f"redis://127.0.0.1:{redis}"
        write("opaque.key", base64.b64encode(os.urandom(32)).decode() + "\n")
        os.chmod(path("opaque.key"), 0o600)
        extra["issuer"] = "  opaque_keys: [ { file: opaque.key } ]"
        extra["store"] = "store: { redis: { url: { env: REDIS_URL } } }"
    else:
        expected.discard("RevocationsStale")
        print("skipped: RevocationsStale, because redis-server is not installed")
    write("other.yaml", configuration(other, other_admin, api.server_port, "", extra, ("access.jsonl", "audit.jsonl"), ["repeats", "refuses"]))
    for name, admin in (("full", full_admin), ("other", other_admin)):
        gateway = start(PROGRAM, "--config", path(f"{name}.yaml"))
        wait_for(f"the gateway of {name}.yaml is ready", lambda: gateway.poll() is None and status(f"http://127.0.0.1:{admin}/readyz") == 200)
    write("prometheus.yml", json.dumps({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["quick.yml"],
        "scrape_configs": [{"job_name": "obo-gateway", "static_configs": [
            {"targets": [f"127.0.0.1:{full_admin}", f"127.0.0.1:{other_admin}"]}]}],
    }))
    start("prometheus", f"--config.file={path('prometheus.yml')}", f"--storage.tsdb.path={path('tsdb')}",
          f"--web.listen-address=127.0.0.1:{prometheus}", "--log.level=warn")
    wait_for("three scrapes of each gateway", lambda: scrapes(prometheus) >= 3)
    early = firing(prometheus) - FROM_THE_START
    assert not early, f"without a fault: {early}"

    # ── The faults, each caused once: the first event must already trigger the alert
    if store:
        store.terminate()
    write("other.yaml", "routes: 1\n")
    gateway.send_signal(signal.SIGHUP)
    token = make_token(1)
    assert status(f"http://127.0.0.1:{full}/orders/1", token) == 503
    for route in ("repeats", "refuses"):
        print(f"the API that {route} its token: {status(f'http://127.0.0.1:{other}/{route}/1', token)}")
    # more connections than one address may have
    held = [socket.create_connection(("127.0.0.1", other)) for _ in range(12)]
    begun, seen = time.monotonic(), set()
    while seen != expected and time.monotonic() - begun < WITHIN:
        for name in sorted(firing(prometheus) - seen):
            seen.add(name)
            print(f"{time.monotonic() - begun:5.1f} s  {name} fires", flush=True)
        time.sleep(0.2)
    for one in held:
        one.close()
    missing = expected - seen
    assert not missing, f"these did not fire: {missing}"
    assert status(f"http://127.0.0.1:{full_admin}/readyz") == 503, "ready without an audit log"
    print(f"all {len(expected)} alerts fire")


try:
    main()
except (AssertionError, OSError) as error:
    for name in sorted(os.listdir(WORK)):
        if name.endswith(".log"):
            with open(path(name), encoding="utf-8", errors="replace") as file:
                print(f"── {name}\n" + "".join(file.readlines()[-15:]))
    sys.exit(f"failed: {error}")
finally:
    for process in started:
        process.terminate()
    for process in started:
        process.wait()
