"""An agent with the AI SDK's MCP client, as a process of its own."""

import json
import subprocess
import time
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

from processes import end_with_parent, stop

SCRIPT = Path(__file__).parent / "agent.mjs"
TIMEOUT_SECONDS = 30


class Refusal(Exception):
    """The server's error, or the client's."""

    def __init__(self, message, code, data):
        super().__init__(message)
        self.code, self.data = code, data


class Agent:
    def __init__(self, node, url, key):
        self.process = subprocess.Popen(
            [node, SCRIPT, url, key],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        self.replies, self.requests, self.events, self.errors = Queue(), [], [], []
        self.reader = Thread(target=self.read, daemon=True)
        self.reader.start()
        self.reply()

    def read(self):
        for line in self.process.stdout:
            said = json.loads(line)
            if "received" in said:
                self.requests.append((said["received"], said["status"]))
                self.events += [said["event"]] if "event" in said else []
            elif "error" in said:
                self.errors.append(said["error"])
            else:
                self.replies.put(said)

    def reply(self):
        try:
            return self.replies.get(timeout=TIMEOUT_SECONDS)
        except Empty:
            raise RuntimeError(f"the agent does not answer; exit code {self.process.poll()}") from None

    def ask(self, command, **parameters):
        """Has the client do something; its answer."""
        self.process.stdin.write(json.dumps({"command": command, **parameters}) + "\n")
        self.process.stdin.flush()
        reply = self.reply()
        if "refusal" in reply:
            raise Refusal(**reply["refusal"])
        return reply["answer"]

    def event(self, event_id):
        """The event with this id, once it was delivered."""
        ends = time.monotonic() + TIMEOUT_SECONDS
        while not (found := [event for event in self.events if event["eventId"] == event_id]):
            assert time.monotonic() < ends, f"{event_id} was not delivered: {self.requests} {self.errors}"
            time.sleep(0.05)
        return found[0]

    def challenges(self):
        return [status for kind, status in self.requests if kind == "verification"]

    def stop(self):
        stop(self.process)
        self.reader.join()
        self.process.stdin.close()
        self.process.stdout.close()
