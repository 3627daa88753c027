"""An API that returns the claims of the token that it receives."""
import base64, http.server, json


class Api(http.server.BaseHTTPRequestHandler):
    def answer(self):
        claims = self.headers["Authorization"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(claims + "=="))
        shown = {name: claims.get(name) for name in ("aud", "sub", "scope", "client_id")}
        shown["lifetime"] = claims["exp"] - claims["iat"]
        body = json.dumps(shown).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = answer


http.server.ThreadingHTTPServer(("127.0.0.1", 9201), Api).serve_forever()
