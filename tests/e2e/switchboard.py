"""A `local` of its own, on a database in a folder."""

import json
import os
import re
import subprocess
import time
import urllib.request

from processes import end_with_parent, stop

START_SECONDS = 30
FOLD_SECONDS = 10


class Switchboard:
    def __init__(self, folder, **settings):
        self.folder, self.process, self.url = folder, None, None
        self.settings = {"DATA_DIR": str(folder / "data"), "DELIVERY_ALLOW_CIDRS": "127.0.0.0/8", **settings}

    def start(self, port="0"):
        log = self.folder / "local.log"
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [os.environ["LOCAL"]],
                env={**os.environ, **self.settings, "PORT": port},
                stdin=subprocess.DEVNULL,
                stderr=file,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        ends = time.monotonic() + START_SECONDS
        while not (listening := re.search(r"^listening on (\S+)$", log.read_text(), re.MULTILINE)):
            if self.process.poll() is not None or time.monotonic() > ends:
                self.stop()
                raise RuntimeError(f"local does not listen: {log.read_text()}")
            time.sleep(0.05)
        self.url = listening[1]

    def stop(self):
        stop(self.process)

    @property
    def key(self):
        """The first key."""
        return (self.folder / "data/admin-key").read_text().strip()

    def call(self, method, path, body=None, key=None, **headers):
        """The API's answer."""
        content = None if body is None else json.dumps(body).encode()
        headers |= {"authorization": f"Bearer {key or self.key}", "content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", content, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or "null")

    def first(self, path):
        """The first item of a list, once it has one: people and takeovers follow their event after a moment."""
        ends = time.monotonic() + FOLD_SECONDS
        while not (items := self.call("GET", path)["items"]):
            assert time.monotonic() < ends, path
            time.sleep(0.05)
        return items[0]

    def connection(self, platform, name, **credentials):
        new = {"platform": platform, "name": name, "credentials": credentials}
        return self.call("POST", "/v1/connections", new)["id"]

    def hook(self, trigger, name, connection):
        return self.call("POST", "/v1/hooks", {"trigger": trigger, "name": name, "connection": connection})

    def agent(self, name, *types):
        """A key that may subscribe to these types of events."""
        return self.call("POST", "/v1/keys", {"name": name, "scope": "read", "subscribe": types})

    def subscription(self, agent, event_type, url, **arguments):
        """The id of a subscription that a client makes with an agent's key."""
        delivery = {"mode": "webhook", "url": url, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
        params = {"name": event_type, "arguments": arguments, "cursor": None, "delivery": delivery}
        body = {"jsonrpc": "2.0", "id": 1, "method": "events/subscribe", "params": params}
        accepted = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
        return self.call("POST", "/mcp", body, agent["key"], **accepted)["result"]["id"]
