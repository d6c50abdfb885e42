"""A target of routes, and what it was sent."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from standardwebhooks.webhooks import Webhook


class Delivery:
    def __init__(self, path, headers, body):
        self.path, self.headers, self.body = path, headers, body

    @property
    def event(self):
        return self.headers["webhook-id"]

    def verified(self, secret):
        """The parsed body; raises if it is not signed with the secret."""
        return Webhook(secret).verify(self.body, self.headers)


class Listener:
    """Answers each path with the status that was set for it, or 204; and as the endpoint of an MCP client, a challenge."""

    def __init__(self):
        self.deliveries, self.statuses = [], {}
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("webhook-id", "").startswith("msg_verification_"):
                    return self.repeat(json.loads(body)["challenge"])
                headers = {name.lower(): value for name, value in self.headers.items()}
                listener.deliveries.append(Delivery(self.path, headers, body))
                self.send_response(listener.statuses.get(self.path, 204))
                self.send_header("content-length", "0")
                self.end_headers()

            def repeat(self, challenge):
                answer = json.dumps({"challenge": challenge}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = Thread(target=self.server.serve_forever)

    def start(self):
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def at(self, path):
        return [delivery for delivery in self.deliveries if delivery.path == path]
