"""The document on `cargo lambda watch`, as a reader would run it, and how it all ends."""

import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from documents import FIRST_EXAMPLE, blocks, run_steps, steps

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/watch.md").read_text()
# The first start may build everything and install cargo-lambda.
START_SECONDS = 1200
END_SECONDS = 30


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def serves(port):
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", int(port))) == 0


def until(met, seconds, what):
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what()}"
        time.sleep(0.1)


def processes():
    """Running processes by id, each with its parent's id and its command."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True)
    rows = (line.split(None, 3) for line in listed.stdout.splitlines())
    return {int(pid): (int(parent), command) for pid, parent, state, command in rows if state[0] != "Z"}


def family(pid):
    """A process and all that come from it, with their commands. The functions have sessions of their own."""
    known, found = processes(), {pid}
    while more := {child for child, (parent, _) in known.items() if parent in found} - found:
        found |= more
    return {child: known[child][1] for child in found & known.keys()}


@contextmanager
def running(command, port, log, end=subprocess.Popen.terminate, **settings):
    """Runs a command in a session of its own, as a terminal's, until it is ended; then nothing of it is left."""
    environment = {**os.environ, **settings}
    with log.open("w") as output:
        process = subprocess.Popen(
            ["bash", "-c", f"exec env {command}"], cwd=ROOT, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        until(lambda: process.poll() is not None or serves(port), START_SECONDS, log.read_text)
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        started = family(process.pid)
        end(process)
        try:
            process.wait(END_SECONDS)
            until(lambda: not started.keys() & processes().keys(), END_SECONDS, lambda: started)
        finally:
            for pid in started.keys() & processes().keys():
                os.kill(pid, signal.SIGKILL)


def test_the_examples_do_what_they_say(tmp_path):
    ports = {"9000": free_port(), "9100": free_port()}
    data = tmp_path / "data"

    def here(text):
        text = re.sub(r"\b(9000|9100)\b", lambda port: ports[port[0]], text)
        return text.replace(".data/", f"{data}/")

    start = [text.strip() for language, text in blocks(DOCUMENT) if not language][-1]
    shorthand, *_ = steps(FIRST_EXAMPLE)
    with (
        running("make sandbox", ports["9100"], tmp_path / "sandbox.log", SANDBOX_PORT=ports["9100"]),
        running(here(start), ports["9000"], tmp_path / "watch.log", PORT=ports["9000"], DATA_DIR=str(data)),
    ):
        run_steps([shorthand, *steps(DOCUMENT)], here, ROOT, START_SECONDS)


def interrupt(process):
    """As Ctrl-C does."""
    os.killpg(process.pid, signal.SIGINT)


@pytest.mark.parametrize("end", [interrupt, subprocess.Popen.terminate])
def test_nothing_is_left_when_it_is_ended(tmp_path, end):
    port, data = free_port(), tmp_path / "data"
    with running("make watch", port, tmp_path / "log", end, PORT=port, DATA_DIR=str(data)) as process:
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/keys", timeout=START_SECONDS)
        commands = " ".join(family(process.pid).values())
        assert "cargo-lambda" in commands and "local database" in commands and "api-keys" in commands
        assert (data / "watch.env").exists()
    assert not serves(port)
    assert not (data / "watch.env").exists()
