"""A `local` of its own, on a database in a folder, whose platforms the sandbox plays."""

import json
import os
import re
import subprocess
import time
import urllib.request

from processes import end_with_parent, stop
from sandbox import TOKEN

START_SECONDS = 30
# As the sandbox prints them when it starts.
BOTSTAR_TOKEN = "sandbox-token-of-botstar-9876543210"
BOTDISTRIKT_DOMAIN = "sandbox-chat-q7v2mz9x4ktd8hw3rj6yb5nf.invalid"


class Switchboard:
    def __init__(self, folder, sandbox):
        self.folder, self.sandbox = folder, sandbox

    def start(self):
        settings = {
            "PORT": "0",
            "DATA_DIR": str(self.folder / "data"),
            "BOTSTAR_API_URL": f"{self.sandbox.url}/botstar/v1",
            "CHATBOT_API_URL": f"{self.sandbox.url}/chatbot",
            "BOTDISTRIKT_API_URL": f"{self.sandbox.url}/botdistrikt/api",
            "DELIVERY_ALLOW_CIDRS": "127.0.0.0/8",
        }
        log = self.folder / "local.log"
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [os.environ["LOCAL"]],
                env={**os.environ, **settings},
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
        self.mcp_url = f"{self.url}/mcp"
        self.admin_key = (self.folder / "data/admin-key").read_text().strip()

    def stop(self):
        stop(self.process)

    def call(self, method, path, body=None):
        """The API's answer to the first key."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {self.admin_key}", "content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", content, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or "null")

    def key(self, scope, **settings):
        """A new key, as an agent is given one: its id and its text."""
        made = self.call("POST", "/v1/keys", {"name": "Agent", "scope": scope, **settings})
        return made["id"], made["key"]

    def connection(self, platform, **credentials):
        new = {"platform": platform, "name": platform, "credentials": credentials}
        return self.call("POST", "/v1/connections", new)["id"]

    def chatbot(self):
        return self.connection("chatbot", access_token=TOKEN)

    def botstar(self):
        return self.connection("botstar", api_token=BOTSTAR_TOKEN)

    def botdistrikt(self):
        return self.connection("botdistrikt", webchat_app_id=4711, domain=BOTDISTRIKT_DOMAIN)

    def hook(self, trigger, connection):
        return self.call("POST", "/v1/hooks", {"trigger": trigger, "name": trigger, "connection": connection})
