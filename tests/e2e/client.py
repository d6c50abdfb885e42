"""Calls of the deployed API, and waiting."""

import http.client
import json
import time
from dataclasses import dataclass

TIMEOUT_SECONDS = 30


@dataclass
class Answer:
    status: int
    headers: dict
    body: object


@dataclass
class Api:
    """The API behind its own domain. That is a name below localhost, which not every system resolves, so the connection
    is made to MiniStack's port and the domain is reported in the header."""

    port: int
    domain: str
    key: str | None

    def call(self, method, path, body=None):
        """Calls the API; a body that is no text is sent as JSON."""
        headers = {"host": self.domain, "content-type": "application/json"}
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            said = answer.read().decode()
            reported = {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()
        try:
            return Answer(answer.status, reported, json.loads(said))
        except ValueError:
            return Answer(answer.status, reported, said)

    def ask(self, method, path, body=None):
        """A call that succeeds; what it is answered."""
        answer = self.call(method, path, body)
        assert answer.status < 300, f"{method} {path}: {answer}"
        return answer.body

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, body):
        return self.ask("POST", path, body)

    def all(self, path):
        """All items of a list; the path has a query."""
        items, page = [], self.get(f"{path}&limit=100")
        while True:
            items += page["items"]
            if page["next"] is None:
                return items
            page = self.get(f"{path}&limit=100&cursor={page['next']}")


def until(look, what, seconds=TIMEOUT_SECONDS):
    """Looks again and again until there is something to see, and answers with it."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)
    return seen
