"""The sweep: every minute, what is due and has no message on its way is sent."""

from client import until

# It runs every minute, and what it sends has to be delivered.
SWEPT_SECONDS = 130


def test_a_delivery_whose_message_was_lost_is_found_by_the_schedule(cloud, stack, api, hook, webhook, listener):
    queue, url = cloud.client("sqs"), stack.outputs["DeliveryQueueUrl"]
    webhook("/lost")

    def waiting():
        reported = queue.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(reported["Attributes"]["ApproximateNumberOfMessages"])

    with stack.undelivered():
        event = hook.event()
        until(waiting, "the delivery's message")
        # A first attempt is not in the table as long as its message is in the queue; one of a replay is.
        assert api.get(f"/v1/deliveries?event={event}")["items"] == []
        api.post(f"/v1/events/{event}/replay", {})
        until(lambda: waiting() == 2, "the message of the replay")
        queue.purge_queue(QueueUrl=url)
        [delivery] = api.get(f"/v1/deliveries?event={event}")["items"]
        assert (delivery["state"], waiting()) == ("pending", 0)
        make_due(cloud, stack, delivery)
    until(lambda: listener.at("/lost"), "the delivery that was swept", SWEPT_SECONDS)
    until(lambda: api.get(f"/v1/deliveries/{delivery['id']}")["state"] == "succeeded", "the delivery's end")


def make_due(cloud, stack, delivery):
    """Has the hour pass after which a delivery is looked for whose message was sent."""
    database, table = cloud.client("dynamodb"), stack.outputs["DeliveriesTableName"]
    key = {"pk": {"S": delivery["event"]}, "sk": {"S": delivery["id"]}}
    looked_for, rest = database.get_item(TableName=table, Key=key)["Item"]["due_at"]["S"].split(" ", 1)
    long_ago = looked_for.replace(looked_for[:4], "2020", 1)
    database.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET due_at = :past",
        ExpressionAttributeValues={":past": {"S": f"{long_ago} {rest}"}},
    )
