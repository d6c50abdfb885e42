"""The scenarios of the official conformance suite for servers that need none of its own tools, resources or prompts."""

import subprocess
from pathlib import Path

import pytest
from proxy import Proxy

HERE = Path(__file__).parent
SUITE = HERE / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
TIMEOUT_SECONDS = 120
LEGACY = ["server-initialize", "ping", "tools-list"]
SCENARIOS = [
    *(
        ("2026-07-28", scenario)
        for scenario in ["server-stateless", "http-header-validation", "tools-list", "caching", "dns-rebinding-protection"]
    ),
    *(("2025-11-25", scenario) for scenario in [*LEGACY, "dns-rebinding-protection"]),
    *(("2025-06-18", scenario) for scenario in LEGACY),
]


@pytest.fixture(scope="module")
def proxied(switchboard):
    """The server's address for clients without a key."""
    proxy = Proxy(switchboard.mcp_url, switchboard.key)
    proxy.start()
    yield proxy.url
    proxy.stop()


@pytest.mark.parametrize("revision, scenario", SCENARIOS)
def test_a_scenario_has_only_the_expected_failures(node, proxied, revision, scenario):
    arguments = ["--url", proxied, "--scenario", scenario, "--spec-version", revision]
    suite = subprocess.run(
        [node, SUITE, "server", *arguments, "--expected-failures", HERE / "expected-failures.yaml"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    assert suite.returncode == 0, suite.stdout + suite.stderr
    assert "SUCCESS" in suite.stdout, "a scenario that checks nothing proves nothing"
