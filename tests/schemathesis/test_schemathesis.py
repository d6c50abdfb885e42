"""Requests made from the OpenAPI document: none is answered with a 5xx, and one that fits is refused for its content."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from processes import end_with_parent, stop
from sandbox import TOKEN

ROOT = Path(__file__).parents[2]
LOCAL = ROOT / "target/debug/local"
START_SECONDS = 30
EXAMPLES = "40"


class Local:
    """`local` as a process of its own, on a database that is kept in a folder."""

    def __init__(self, folder, sandbox):
        self.folder, self.log = folder / "data", folder / "local.log"
        self.environment = dict(os.environ, PORT="0", DATA_DIR=str(self.folder), RUST_LOG="error")
        self.environment |= {"CHATBOT_API_URL": sandbox.url, "BOTMOTHER_API_URL": sandbox.url}
        self.environment |= {"BOTSTAR_API_URL": f"{sandbox.url}/botstar/v1", "BOTDISTRIKT_API_URL": f"{sandbox.url}/botdistrikt/api"}

    def start(self):
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [LOCAL],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        deadline = time.monotonic() + START_SECONDS
        while not (found := re.search(r"listening on (\S+)", self.log.read_text())):
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)
        self.url = found[1]
        self.key = (self.folder / "admin-key").read_text().strip()

    def stop(self):
        stop(self.process)

    def get(self, path):
        return self.ask(path, None)

    def post(self, path, body):
        return self.ask(path, json.dumps(body).encode())

    def ask(self, path, content):
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        request = urllib.request.Request(self.url + path, content, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


@pytest.fixture
def local(tmp_path, sandbox):
    local = Local(tmp_path, sandbox)
    local.start()
    yield local
    local.stop()


def credentials(sandbox):
    event = f"{sandbox.url}/api/bot/action/{'5' * 24}/{'a' * 32}"
    return {
        "botstar": {},
        "chatbot": {"access_token": TOKEN},
        "botdistrikt": {"webchat_app_id": 1, "domain": "a1b2c3d4e5f6g7h8i9j0k1l2.example.com"},
        "botmother": {"event_url": event},
    }


def with_tokens(local, sandbox):
    """Schemathesis's settings: the token of a hook for each hook's path."""
    paths = local.get("/v1/openapi.json")["paths"]
    modules = [module for platform in local.get("/v1/modules")["items"] for module in platform["modules"]]
    settings = ""
    for path in paths:
        found = re.fullmatch(r"/hooks/(\w+)/([\w-]+)/\{token\}", path)
        if not found:
            continue
        platform, noun = found.groups()
        new = {"platform": platform, "name": "Demo", "credentials": credentials(sandbox)[platform]}
        connection = local.post("/v1/connections", new)["id"]
        new = {"trigger": f"{platform}.watch-{noun}", "name": "Demo", "connection": connection}
        token = local.post("/v1/hooks", new)["url"].rsplit("/", 1)[1]
        settings += f'[[operations]]\ninclude-path = "{path}"\nparameters = {{ "path.token" = "{token}" }}\n\n'
    assert settings.count("[[operations]]") == len([module for module in modules if module["kind"] == "trigger"])
    return settings


def schemathesis(local, sandbox, folder, *arguments):
    """Runs Schemathesis against `local`; the number of requests, all of which passed."""
    settings = folder / "schemathesis.toml"
    settings.write_text(with_tokens(local, sandbox))
    command = [Path(sys.executable).parent / "schemathesis", "--config-file", settings, "run"]
    command += [f"{local.url}/v1/openapi.json", "--header", f"Authorization: Bearer {local.key}"]
    command += ["--max-examples", EXAMPLES, "--seed", "1", "--no-color", *arguments]
    environment = dict(os.environ, SCHEMATHESIS_HOOKS="schemathesis_checks", PYTHONPATH=str(Path(__file__).parent))
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900)
    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr
    tested = re.search(r"(\d+) generated, \1 passed", ran.stdout)
    assert tested, ran.stdout[-20_000:]
    return int(tested[1])


def test_hooks_and_events_answer_no_5xx(local, sandbox, tmp_path):
    paths = ["--include-path-regex", "^/(hooks|v1/events)"]
    assert schemathesis(local, sandbox, tmp_path, *paths, "--checks", "not_a_server_error") > 500


def test_a_request_that_fits_the_document_is_refused_for_its_content_alone(local, sandbox, tmp_path):
    checks = ["--checks", "refused_for_content_alone"]
    # The key that the requests are made with stays.
    rest = ["--exclude-path", "/v1/keys/{id}"]
    assert schemathesis(local, sandbox, tmp_path, "--mode", "positive", *checks, *rest) > 500
