"""ChatBot, played by the sandbox: its credentials, its webhook, its actions."""

import json

import pytest

from client import until
from sandbox import TOKEN


@pytest.fixture
def reachable_hooks(cloud, stack, api):
    """Has hooks' URLs begin with an address that the sandbox can call: the API's own is https, and below localhost."""
    url = f"{cloud.url}/_aws/execute-api/{stack.id('HttpApi')}/$default"
    with stack.variables("ApiHooks", PUBLIC_URL=url):
        yield


def test_a_token_is_sealed_by_kms_and_opened_for_a_call(cloud, stack, api, chatbot):
    item = cloud.client("dynamodb").get_item(
        TableName=stack.outputs["ControlTableName"], Key={"pk": {"S": "connection"}, "sk": {"S": chatbot}}
    )["Item"]
    assert TOKEN not in str(item)
    assert TOKEN not in str(api.get(f"/v1/connections/{chatbot}"))
    assert api.post(f"/v1/connections/{chatbot}/test", None)["ok"] is True


def test_a_hook_registers_itself_and_takes_what_is_said(api, sandbox, chatbot, reachable_hooks):
    made = api.post("/v1/hooks", {"trigger": "chatbot.watch-message", "name": "Messages", "connection": chatbot})
    assert made["registration"]["state"] == "registered", made

    said = sandbox.say("One latte")
    assert [call["status"] for call in said] == [200], said
    events = until(lambda: api.get(f"/v1/events?hook={made['id']}")["items"], "the event of what was said")
    assert [event["type"] for event in events] == ["chatbot.message.received"]
    assert events[0]["data"]["attributes"]["text"] == "One latte"

    api.ask("DELETE", f"/v1/hooks/{made['id']}")
    assert sandbox.say("Two lattes") == []


def test_an_action_answers_the_same_over_http_and_by_direct_invocation(cloud, stack, api, chatbot):
    found = api.post("/v1/actions/chatbot/search-users", {"connection": chatbot, "limit": 1})["items"][0]
    asked = {"connection": chatbot, "user_id": found["id"]}
    over_http = api.post("/v1/actions/chatbot/get-user", asked)
    assert over_http["id"] == found["id"]

    function = stack.outputs["ActionFunctionPrefix"] + "chatbot-get-user"
    invoked = cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps(asked))
    assert "FunctionError" not in invoked
    assert json.load(invoked["Payload"]) == over_http


def test_a_problem_of_a_direct_invocation_is_an_error_with_its_code(cloud, stack, chatbot):
    asked = {"connection": chatbot, "user_id": "none"}
    function = stack.outputs["ActionFunctionPrefix"] + "chatbot-get-user"
    invoked = cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps(asked))
    assert invoked["FunctionError"] == "Unhandled"
    assert json.load(invoked["Payload"])["errorType"] == "not_found"


def test_a_route_runs_an_action_by_invoking_its_function(api, hook, route_to, chatbot):
    name = "Zoe of the route"
    target = {
        "type": "action",
        "action": "chatbot.create-user",
        "connection": chatbot,
        "input": {"name": f"'{name}'", "custom_fields": "{'order': data.record.id}"},
    }
    route, event = route_to(target), hook.event()
    delivery = until(
        lambda: next((d for d in api.get(f"/v1/deliveries?event={event}")["items"] if d["state"] != "pending"), None),
        "the delivery's end",
    )
    assert (delivery["route"], delivery["state"]) == (route["id"], "succeeded"), delivery
    wanted = {"connection": chatbot, "filters": [{"type": "default_name", "value": name}]}
    assert len(api.post("/v1/actions/chatbot/search-users", wanted)["items"]) == 1
