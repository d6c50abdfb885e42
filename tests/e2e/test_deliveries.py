"""Deliveries: what routes carry on, and what becomes of it."""

import base64
import json

from client import until


def ended(api, event):
    """The deliveries of an event, once none is pending."""

    def look():
        deliveries = api.get(f"/v1/deliveries?event={event}")["items"]
        return deliveries if deliveries and all(one["state"] != "pending" for one in deliveries) else None

    return until(look, f"the end of the deliveries of {event}")


def test_an_event_is_delivered_to_a_webhook_signed(api, hook, webhook, listener):
    route, event = webhook("/signed"), hook.event()
    sent = until(lambda: listener.at("/signed"), "the delivery at the listener")
    assert [one.event for one in sent] == [event]
    reported = sent[0].verified(route["target"]["secret"])
    assert reported == api.get(f"/v1/events/{event}")
    assert [(one["route"], one["state"]) for one in ended(api, event)] == [(route["id"], "succeeded")]


def test_a_delivery_that_keeps_failing_is_dead_and_an_event_reports_it(api, hook, webhook, listener):
    listener.statuses["/failing"] = 500
    route, event = webhook("/failing"), hook.event()
    [delivery] = ended(api, event)
    assert (delivery["state"], delivery["reason"]) == ("dead", "attempts_used_up")
    # RetrySchedule has two waits.
    assert [attempt["status"] for attempt in delivery["attempts"]] == [500] * 3
    assert len(listener.at("/failing")) == 3
    reported = until(
        lambda: [
            event["data"]
            for event in api.get("/v1/events?type=switchboard.delivery.dead")["items"]
            if event["data"]["delivery"]["id"] == delivery["id"]
        ],
        "the event about the dead letter",
    )
    assert [(one["route"]["id"], one["delivery"]["event"]) for one in reported] == [(route["id"], event)]


def test_headers_of_80_kb_reach_a_webhook(api, hook, route_to, listener):
    headers = {f"x-long-{number}": str(number).ljust(4_000, "x") for number in range(20)}
    route_to({"type": "webhook", "url": f"{listener.url}/long", "headers": headers})
    event = hook.event()
    [sent] = until(lambda: listener.at("/long"), "the delivery at the listener")
    assert sent.event == event
    assert {name: sent.headers.get(name) for name in headers} == headers


def test_headers_that_an_earlier_release_sealed_reach_a_webhook(cloud, stack, hook, route_to, listener):
    """KMS encrypted them itself, with the route as encryption context."""
    route = route_to({"type": "webhook", "url": f"{listener.url}/earlier", "headers": {"x-own": "of this release"}})
    made = cloud.client("kms").encrypt(
        KeyId=stack.id("SealingKey"),
        Plaintext=json.dumps({"x-own": "of an earlier release"}),
        EncryptionContext={"record": route["id"]},
    )
    sealed = "kms." + base64.urlsafe_b64encode(made["CiphertextBlob"]).decode().rstrip("=")
    item = {"TableName": stack.id("ControlTable"), "Key": {"pk": {"S": "route"}, "sk": {"S": route["id"]}}}
    tables = cloud.client("dynamodb")
    stored = tables.get_item(**item)["Item"]["target"]["M"]["headers"]["S"]
    assert stored.startswith("kms2.")
    tables.update_item(
        **item,
        UpdateExpression="SET #target.#headers = :sealed",
        ExpressionAttributeNames={"#target": "target", "#headers": "headers"},
        ExpressionAttributeValues={":sealed": {"S": sealed}},
    )
    hook.event()
    [sent] = until(lambda: listener.at("/earlier"), "the delivery at the listener")
    assert sent.headers["x-own"] == "of an earlier release"
