"""The AI SDK subscribes to events, and receives them with its own webhook handler."""

import json
import re
import socket
import subprocess
import urllib.request
from pathlib import Path
from threading import Timer

import jsonschema
import pytest
from agent import TIMEOUT_SECONDS, Agent, Refusal
from processes import end_with_parent, stop

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "docs/mcp.md"
TAKEOVER = "botstar.takeover.requested"
CALLBACK_ENDPOINT = -32015
ZOE = "9f2c51e07ab84d63a1"


@pytest.fixture
def agent(node, switchboard):
    """Starts an agent whose key may subscribe to types of events."""
    agents = []

    def agent(*types):
        _, key = switchboard.new_key("act", subscribe=types)
        agents.append(Agent(node, switchboard.mcp_url, key))
        return agents[-1]

    yield agent
    for started in agents:
        started.stop()


@pytest.fixture
def hook(switchboard):
    return switchboard.hook("botstar.watch-human-takeover", "Takeovers", switchboard.botstar())


def request_takeover(hook, reason):
    """A user of BotStar's asks for a human; the id of the event."""
    body = json.dumps({"user": {"id": ZOE, "name": "Zoe Park"}, "reason": reason}).encode()
    request = urllib.request.Request(hook["url"], body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["event"]


def subscribe(agent, hook, **wish):
    return agent.ask("subscribe", name=TAKEOVER, arguments={"hook": hook["id"]}, **wish)


def test_a_key_may_subscribe_to_the_types_that_it_was_made_with(agent):
    types = {listed["name"] for listed in agent("botstar.*").ask("list")["events"]}
    assert TAKEOVER in types and all(name.startswith("botstar.") for name in types)
    without = agent()
    assert without.ask("list")["events"] == []
    with pytest.raises(Refusal, match="Unknown MCP event"):
        without.ask("subscribe", name=TAKEOVER)


def test_an_event_is_delivered_as_its_type_describes(agent, hook):
    one = agent("botstar.*")
    (described,) = [listed for listed in one.ask("list")["events"] if listed["name"] == TAKEOVER]
    subscribe(one, hook)
    event = one.event(request_takeover(hook, "Where is my order?"))
    assert event["name"] == TAKEOVER and event["cursor"] is None
    assert event["data"]["takeover"]["reason"] == "Where is my order?"
    jsonschema.validate(event["data"], described["payloadSchema"])
    assert "raw" not in event["data"]
    assert one.requests == [("verification", 200), ("event", 204)]
    assert one.errors == []


def test_a_subscription_is_refreshed_and_ended(agent, hook, switchboard):
    one, other = agent(TAKEOVER), agent(TAKEOVER)
    subscribed = subscribe(one, hook, ttlMs=120_000)
    subscribe(other, hook)
    refreshed = one.ask("refresh", id=subscribed["id"])
    assert refreshed["id"] == subscribed["id"]
    assert refreshed["refreshBefore"] > subscribed["refreshBefore"]
    assert one.challenges() == [200], "an endpoint proves itself once"
    one.event(request_takeover(hook, "after the refresh"))
    one.ask("unsubscribe", id=subscribed["id"])
    last = request_takeover(hook, "after the end")
    other.event(last)
    (delivery,) = switchboard.call("GET", f"/v1/deliveries?event={last}")["items"]
    assert delivery["route"] != subscribed["id"]
    assert last not in [event["eventId"] for event in one.events]


def test_an_endpoint_that_does_not_answer_gets_no_events(agent, hook):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Refusal) as refused:
        subscribe(agent("botstar.*"), hook, url=f"http://127.0.0.1:{port}/")
    assert (refused.value.code, refused.value.data["reason"]) == (CALLBACK_ENDPOINT, "connection_refused")


def test_the_agent_of_the_document_sends_a_message_when_a_takeover_arrives(node, hook, switchboard):
    connection = switchboard.botdistrikt()
    switchboard.call("POST", "/v1/actions/botdistrikt/register-user", {"connection": connection, "webchat_id": ZOE})
    settings = {
        "SWITCHBOARD_URL": switchboard.url,
        "SWITCHBOARD_KEY": switchboard.new_key("act", subscribe=[TAKEOVER])[1],
        "CONNECTION": connection,
        "WEBCHAT_ID": ZOE,
        "PORT": "0",
    }
    (program,) = re.findall(r"^```js\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    # In this folder, so that it finds the packages.
    process = subprocess.Popen(
        [node, "--input-type=module", "--eval", program],
        cwd=HERE,
        env=settings,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=end_with_parent,
    )
    limit = Timer(TIMEOUT_SECONDS, process.kill)
    limit.start()
    try:
        assert process.stdout.readline() == "waiting for takeovers\n"
        request_takeover(hook, "Where is my order?")
        sent = json.loads(process.stdout.readline())
        assert sent["responses"] == [{"text": "You said: A user asks for a human: Where is my order?"}]
    finally:
        limit.cancel()
        stop(process)
        process.stdout.close()
