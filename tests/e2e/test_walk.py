"""The walk of docs/routes.md into an AWS account: a checkpoint record lands on an event bus and starts a state machine."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from documents import FIRST_EXAMPLE, blocks, run_steps, steps
from processes import end_with_parent, stop
from test_watch import free_port, until

ROOT = Path(__file__).parents[2]
LOCAL = os.environ.get("LOCAL", str(ROOT / "target/debug/local"))
WALK = (ROOT / "docs/routes.md").read_text().split("\n## Into your own AWS account\n", 1)[1].split("\n## ", 1)[0]
SECONDS = 60


@pytest.fixture
def aws_command(tmp_path):
    """A folder with the command `aws`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "aws"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).with_name("aws_command.py")}" "$@"\n')
    command.chmod(0o755)
    return folder


def test_a_checkpoint_record_starts_a_state_machine(cloud, tmp_path, aws_command):
    ports = {"9000": free_port(), "4566": str(cloud.port)}

    def here(text):
        return re.sub(r"\b(9000|4566)\b", lambda port: ports[port[0]], text)

    [start] = [text for language, text in blocks(WALK) if not language and "make run" in text]
    settings = dict(re.findall(r"\b([A-Z_]+)=(\S+)", here(start)))
    environment = cloud.environment | settings | {"PORT": ports["9000"], "DATA_DIR": str(tmp_path / ".data")}
    environment["PATH"] = f"{aws_command}:{environment['PATH']}"
    log = tmp_path / "local.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [LOCAL], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True, preexec_fn=end_with_parent,
        )  # fmt: skip
    try:
        until(lambda: process.poll() is not None or "listening on" in log.read_text(), SECONDS, log.read_text)
        assert process.poll() is None, log.read_text()
        hook = steps(FIRST_EXAMPLE)[:2]
        run_steps([*hook, *steps(WALK)], here, tmp_path, SECONDS, env=environment)
    finally:
        stop(process)
