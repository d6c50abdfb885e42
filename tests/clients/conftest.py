"""MCP clients of others against `local`, as `make run` starts it."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from sandbox import Sandbox  # noqa: E402
from server import Server  # noqa: E402


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory):
    """Plays the platforms."""
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"))
    sandbox.start()
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="session")
def switchboard(tmp_path_factory, sandbox):
    switchboard = Server(tmp_path_factory.mktemp("switchboard"), sandbox)
    switchboard.start()
    yield switchboard
    switchboard.stop()


@pytest.fixture(scope="session")
def node():
    """The Node.js that package.json pins."""
    (node,) = (HERE / "node_modules").glob("node-linux-*/bin/node")
    return node
