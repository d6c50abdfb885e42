"""Records that can't be handled go to the dead-letter queue, and the others are handled."""

import json

import pytest

from client import until

# Short enough to wait for, longer than a batch is handled.
VISIBILITY_SECONDS = 3
RECEIVED_AT_MOST = 2


@pytest.fixture
def dead_letter(cloud, stack):
    """Waits for a message of the dead-letter queue that says this, and answers with its body."""
    queue, url, seen = cloud.client("sqs"), stack.outputs["DeadLetterQueueUrl"], []

    def look(words):
        for message in queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            queue.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            seen.append(json.loads(message["Body"]))
        return next((body for body in seen if words in json.dumps(body)), None)

    return lambda words: until(lambda: look(words), f"a dead letter with {words}")


@pytest.fixture
def break_seal(cloud, stack):
    """Gives a route the sealed secret of another, which KMS does not open for it."""
    database, table = cloud.client("dynamodb"), stack.outputs["ControlTableName"]

    def sealed(route):
        key = {"pk": {"S": "route"}, "sk": {"S": route["id"]}}
        return database.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]

    def swap(broken, other):
        item = sealed(broken)
        item["target"]["M"]["secrets"] = sealed(other)["target"]["M"]["secrets"]
        database.put_item(TableName=table, Item=item)

    return swap


def test_a_poison_record_of_the_stream_is_set_aside_and_the_next_event_is_dispatched(
    cloud, stack, hook, webhook, listener, dead_letter
):
    webhook("/after-poison")
    poison = {"pk": {"S": "poison"}, "reading": {"S": "nonsense"}}
    cloud.client("dynamodb").put_item(TableName=stack.outputs["EventsTableName"], Item=poison)
    event = hook.event()
    assert dead_letter("poison")["event"] == "poison"
    until(lambda: [one.event for one in listener.at("/after-poison")] == [event], "the delivery after the poison")


def test_a_message_that_is_none_is_set_aside_at_once(cloud, stack, dead_letter):
    sent = cloud.client("sqs").send_message(QueueUrl=stack.outputs["DeliveryQueueUrl"], MessageBody="nonsense")
    named = f"message {sent['MessageId']}"
    assert dead_letter(named)["event"] == named


def test_a_message_that_always_fails_is_set_aside_and_other_deliveries_go_on(
    api, stack, hook, webhook, listener, dead_letter, break_seal
):
    broken, sound = webhook("/broken"), webhook("/sound")
    break_seal(broken, sound)
    with stack.attributes("DeliveryQueue", VISIBILITY_SECONDS, RECEIVED_AT_MOST):
        first = hook.event()
        [stuck] = until(lambda: api.get(f"/v1/deliveries?event={first}&route={broken['id']}")["items"], "the delivery")
        assert dead_letter(stuck["id"])["delivery"] == stuck["id"]
        events = [first, hook.event()]
        until(lambda: [one.event for one in listener.at("/sound")] == events, "the other route's deliveries")
    assert listener.at("/broken") == []
    # It stays in the table, where the sweep looks for it.
    assert api.get(f"/v1/deliveries/{stuck['id']}")["state"] == "pending"
