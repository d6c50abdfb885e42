"""The sandbox that plays the platforms, as a process of its own."""

import json
import os
import subprocess
import time
import urllib.request
from pathlib import Path

from processes import end_with_parent, stop

BINARY = os.environ.get("SANDBOX", str(Path(__file__).parents[2] / "target/debug/sandbox"))
START_SECONDS = 10
# It is in what the sandbox says when it starts.
TOKEN = "sandbox-token-of-chatbot-0123456789"


class Sandbox:
    def __init__(self, folder):
        self.log = Path(folder) / "sandbox.log"

    def start(self):
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [BINARY],
                env={"SANDBOX_PORT": "0"},
                stdin=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        deadline = time.monotonic() + START_SECONDS
        while "listening on " not in (said := self.log.read_text()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"the sandbox does not listen; it said:\n{said}")
            time.sleep(0.05)
        self.url = said.rsplit("listening on ", 1)[1].strip()

    def stop(self):
        stop(self.process)

    def say(self, text):
        """Has a user of ChatBot's say something; what the hooks answered."""
        request = urllib.request.Request(
            f"{self.url}/sandbox/chatbot/say",
            json.dumps({"text": text}).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
