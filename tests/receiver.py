"""A target of routes that verifies what it is sent with the official library, as a user's would.

PUT /NAME   body: the secrets of a route as JSON; each must verify what comes to NAME from now on
POST /NAME  a delivery: 204 if it is genuine and nothing forged of it would be, 400 otherwise
GET /       what came: by name, how many were genuine, how many were refused, and how many forgeries were
"""

import json
import sys
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from standardwebhooks import Webhook, WebhookVerificationError

OTHER_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

lock = Lock()
secrets = {}
counts = defaultdict(lambda: {"genuine": 0, "refused": 0, "forgeries_refused": 0, "forgeries_taken": 0})


def verifies(secret, body, headers):
    try:
        Webhook(secret).verify(body, headers)
        return True
    except WebhookVerificationError:
        return False


def forgeries(secret, body, headers):
    """The same request, changed in one thing each."""
    middle = len(body) // 2
    changed = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
    yield secret, changed, headers
    yield secret, body, headers | {"webhook-id": headers["webhook-id"] + "0"}
    yield secret, body, headers | {"webhook-timestamp": str(int(time.time()) - 3600)}
    yield secret, body, headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)}
    yield OTHER_SECRET, body, headers


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def body(self):
        return self.rfile.read(int(self.headers["content-length"]))

    def answer(self, status, body=b""):
        self.send_response(status)
        if status != 204:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        with lock:
            secrets[self.path] = json.loads(self.body())
        self.answer(204)

    def do_GET(self):
        with lock:
            self.answer(200, json.dumps(counts).encode())

    def do_POST(self):
        body = self.body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        with lock:
            known = secrets.get(self.path, [])
            count = counts[self.path]
        genuine = bool(known) and all(verifies(secret, body, headers) for secret in known)
        taken = [verifies(*forged) for secret in known for forged in forgeries(secret, body, headers)]
        with lock:
            count["genuine" if genuine else "refused"] += 1
            count["forgeries_taken"] += sum(taken)
            count["forgeries_refused"] += len(taken) - sum(taken)
        self.answer(204 if genuine and not any(taken) else 400)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(f"listening on http://127.0.0.1:{server.server_port}", file=sys.stderr, flush=True)
server.serve_forever()
