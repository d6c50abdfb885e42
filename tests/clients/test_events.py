"""The AI SDK subscribes to events, and receives them with its own webhook handler."""

import json
import socket
import urllib.request

import jsonschema
import pytest
from agent import Agent, Refusal

TAKEOVER = "botstar.takeover.requested"
CALLBACK_ENDPOINT = -32015
ZOE = "9f2c51e07ab84d63a1"


@pytest.fixture
def agent(node, switchboard):
    """Starts an agent whose key may subscribe to types of events."""
    agents = []

    def agent(*types):
        _, key = switchboard.key("act", subscribe=types)
        agents.append(Agent(node, switchboard.mcp_url, key))
        return agents[-1]

    yield agent
    for started in agents:
        started.stop()


@pytest.fixture
def hook(switchboard):
    return switchboard.hook("botstar.watch-human-takeover", switchboard.botstar())


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


def test_a_takeover_wakes_an_agent_that_then_sends_a_message(agent, hook, switchboard):
    connection = switchboard.botdistrikt()
    one = agent(TAKEOVER)
    subscribe(one, hook)
    event = one.event(request_takeover(hook, "Where is my order?"))
    zoe = {"connection": connection, "webchat_id": ZOE}
    registered = one.ask("call", name="botdistrikt_register_user", arguments=zoe)
    assert not registered["isError"], registered
    message = f"About '{event['data']['takeover']['reason']}': it left today."
    sent = one.ask("call", name="botdistrikt_send_message", arguments={**zoe, "message": message})
    assert sent["structuredContent"]["responses"] == [{"text": f"You said: {message}"}]
