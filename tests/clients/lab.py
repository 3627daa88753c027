"""A provider that signs tokens, and the real gateway, for every client in this folder.

The provider is this process; the gateway is the program, with a configuration of the caller's, in a folder that is removed
at the end. Everything listens on free ports of loopback.
"""

import base64
import datetime
import hashlib
import http.server
import ipaddress
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from pathlib import Path

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

PATIENCE = 20  # seconds until the gateway is ready

HEAD = """
listeners: [ {{ address: "127.0.0.1:{port}"{tls} }} ]
admin: {{ address: "127.0.0.1:{admin}" }}
issuer:
  url: {url}
  signing_keys: [ {{ file: signing.pem, generate: ES256 }} ]
  opaque_keys: [ {{ file: opaque.key, generate: true }} ]
trusted_issuers:
  - {{ name: corp, issuer: "{provider}", audiences: [portal], algorithms: [ES256], keys: {{ discovery: true }} }}
routes:
  - {{ name: unused, match: {{ prefix: /unused }}, upstream: {{ targets: [ {{ url: "http://127.0.0.1:9" }} ] }}, public: true }}
store: {{ embedded: {{ path: store }} }}
runtime: {{ threads: 1 }}
"""


class Signer:
    """A key with its public half as JWKS has it."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        self.kid = uuid.uuid4().hex
        self.jwk = {**public, "kid": self.kid, "alg": "ES256", "use": "sig"}

    def sign(self, claims, typ="at+jwt"):
        return jwt.encode(claims, self.key, "ES256", {"kid": self.kid, "typ": typ})


class Certified:
    """A certificate with its RSA key, as Microsoft's libraries take them, and the public half as JWKS has it."""

    def __init__(self, name):
        key = rsa.generate_private_key(65537, 2048)
        self.private_key = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.timezone.utc)
        certificate = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
            .sign(key, hashes.SHA256())
        )
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.sha256 = certificate.fingerprint(hashes.SHA256()).hex()
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
        self.jwk = {"kty": "RSA", "n": public["n"], "e": public["e"], "kid": uuid.uuid4().hex, "alg": "PS256", "use": "sig"}


class Lab:
    """A gateway with `clients` (the section's YAML); `files` are written to the folder of its configuration."""

    def __init__(self, binary, clients, path="", tls=False, files=None, directory=None):
        self.folder = tempfile.TemporaryDirectory(prefix="obo-gateway-")
        self.at = Path(self.folder.name)
        self.signer = Signer()
        self.provider = self._provide()
        self.checks = 0
        port, admin = free_ports(2)
        self.ca = self._certificate() if tls else None
        scheme, host = ("https", "localhost") if tls else ("http", "127.0.0.1")
        self.url = f"{scheme}://{host}:{port}{path}"
        for name, text in (files or {}).items():
            (self.at / name).write_text(text)
        text = HEAD.format(
            port=port, admin=admin, url=self.url, provider=self.provider,
            tls=", tls: { certificate: cert.pem, private_key: key.pem }" if tls else "",
        )
        if directory:
            (self.at / "directory.yaml").write_text(directory)
            text += "directory: { file: directory.yaml }\n"
        (self.at / "gateway.yaml").write_text(text + clients)
        self.log = open(self.at / "log", "wb")
        self.gateway = subprocess.Popen(
            [binary, "--config", str(self.at / "gateway.yaml")], stdout=self.log, stderr=self.log
        )
        self._until_ready(admin)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _trace):
        self.gateway.terminate()
        self.gateway.wait(PATIENCE)
        self.log.close()
        if error:
            sys.stderr.write((self.at / "log").read_text())
        self.folder.cleanup()
        if not error:
            print(f"{self.checks} checks, all succeeded.")

    def holds(self, what, held, found=None):
        """Checks one assertion."""
        if not held:
            print(f"✘ {what}: {found!r}")
            raise AssertionError(what)
        self.checks += 1
        print(f"✔ {what}")

    def token(self, **changes):
        """A user's access token, as the provider writes it at a login."""
        now = int(time.time())
        claims = {
            "iss": self.provider, "sub": "alice", "aud": ["portal", "aggregates", "settings"], "client_id": "portal",
            "iat": now, "exp": now + 3600, "jti": uuid.uuid4().hex, "scope": "openid profile email aggregates.read",
            "name": "Alice", "email": "alice@example.com",
        }
        return self.signer.sign({**claims, **changes})

    def verified(self, token, audience):
        """The claims of a token that the gateway signed."""
        with urllib.request.urlopen(self.url + "/oauth/v2/keys", context=self.trust()) as answer:
            keys = {key["kid"]: jwt.PyJWK(key) for key in json.load(answer)["keys"]}
        kid = jwt.get_unverified_header(token)["kid"]
        return jwt.decode(token, keys[kid], algorithms=["ES256"], audience=audience, issuer=self.url)

    def trust(self):
        import ssl

        return ssl.create_default_context(cafile=self.ca) if self.ca else None

    def _provide(self):
        signer = self.signer

        class Answers(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                url = f"http://127.0.0.1:{self.server.server_port}"
                body = {
                    "/.well-known/openid-configuration": {"issuer": url, "jwks_uri": f"{url}/keys"},
                    "/keys": {"keys": [signer.jwk]},
                }.get(self.path)
                text = json.dumps(body).encode()
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    def _certificate(self):
        """Creates a certificate for localhost; returns the file that clients need to trust it."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        now = datetime.datetime.now(datetime.timezone.utc)
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self.at / "key.pem").write_bytes(pem)
        (self.at / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return str(self.at / "cert.pem")

    def _until_ready(self, admin):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.gateway.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz"):
                    return
            except OSError:
                time.sleep(0.05)
        self.gateway.kill()
        self.log.flush()
        sys.stderr.write((self.at / "log").read_text())
        raise SystemExit("the gateway does not get ready")


def free_ports(count):
    """Returns different ports that are free."""
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return ports


def half_hash(token):
    """`at_hash` of an ID token that is signed with ES256 (OpenID Connect Core section 3.1.3.6)."""
    half = hashlib.sha256(token.encode()).digest()[:16]
    return base64.urlsafe_b64encode(half).rstrip(b"=").decode()


def binary():
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: {os.path.basename(sys.argv[0])} GATEWAY_BINARY")
    return os.path.realpath(sys.argv[1])
