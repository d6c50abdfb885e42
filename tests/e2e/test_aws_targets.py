"""Routes into the operator's own AWS resources: a bus, a queue, a topic, a state machine and a function, each read back."""

import io
import json
import zipfile

import pytest

from client import until
from conftest import ACCOUNT, TARGETS
from test_deliveries import ended

# Posts what it is invoked with to the listener.
CODE = """
import json, os, urllib.request

def handler(event, context):
    request = urllib.request.Request(os.environ["URL"], json.dumps(event).encode(), {"content-type": "application/json"})
    urllib.request.urlopen(request, timeout=10).close()
"""


@pytest.fixture(scope="module")
def queues(cloud):
    """URLs of the target queues, and of one that a rule and a topic lead to."""
    sqs = cloud.client("sqs")
    services = {"Service": ["events.amazonaws.com", "sns.amazonaws.com"]}
    statement = {"Effect": "Allow", "Principal": services, "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    made = {
        "e2e-orders": sqs.create_queue(QueueName="e2e-orders")["QueueUrl"],
        "e2e-behind": sqs.create_queue(QueueName="e2e-behind", Attributes={"Policy": policy})["QueueUrl"],
    }
    fifo = sqs.create_queue(QueueName="e2e-orders.fifo", Attributes={"FifoQueue": "true"})
    return made | {"e2e-orders.fifo": fifo["QueueUrl"]}


@pytest.fixture(scope="module")
def role(cloud):
    """A role of the state machine and of the function."""
    services = {"Service": ["states.amazonaws.com", "lambda.amazonaws.com"]}
    trust = {"Effect": "Allow", "Principal": services, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    return cloud.client("iam").create_role(RoleName="e2e", AssumeRolePolicyDocument=document)["Role"]["Arn"]


@pytest.fixture
def message(cloud, queues):
    """Takes the next message of a queue."""
    sqs = cloud.client("sqs")

    def take(queue):
        def look():
            found = sqs.receive_message(
                QueueUrl=queues[queue], MessageAttributeNames=["All"], AttributeNames=["All"]
            ).get("Messages", [])
            for one in found:
                sqs.delete_message(QueueUrl=queues[queue], ReceiptHandle=one["ReceiptHandle"])
            return found and found[0]

        return until(look, f"a message of {queue}")

    return take


def succeeded(api, event):
    [delivery] = ended(api, event)
    assert delivery["state"] == "succeeded", delivery
    return delivery


def test_a_bus_takes_an_event_and_its_rule_selects_it(cloud, api, hook, route_to, queues, message):
    events = cloud.client("events")
    events.create_event_bus(Name="e2e-orders")
    pattern = {"source": ["switchboard"], "detail": {"data": {"hook": [hook.id]}}}
    events.put_rule(EventBusName="e2e-orders", Name="orders", EventPattern=json.dumps(pattern))
    behind = {"Id": "queue", "Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:e2e-behind"}
    events.put_targets(EventBusName="e2e-orders", Rule="orders", Targets=[behind])
    route_to({"type": "aws", "arn": TARGETS["bus"]})
    event = hook.event()
    taken = json.loads(message("e2e-behind")["Body"])
    assert (taken["source"], taken["detail-type"]) == ("switchboard", "botstar.checkpoint_record.created")
    assert taken["detail"] == api.get(f"/v1/events/{event}")
    assert succeeded(api, event)["attempts"][0]["body"] == taken["id"]


def test_a_queue_takes_an_event_with_its_attributes(api, hook, route_to, message):
    route_to({"type": "aws", "arn": TARGETS["queue"]})
    event = hook.event()
    taken = message("e2e-orders")
    assert json.loads(taken["Body"]) == api.get(f"/v1/events/{event}")
    attributes = {name: value["StringValue"] for name, value in taken["MessageAttributes"].items()}
    assert attributes["id"] == event and attributes["type"] == "botstar.checkpoint_record.created"
    assert succeeded(api, event)["attempts"][0]["body"] == taken["MessageId"]


def test_a_fifo_queue_takes_a_group_and_an_id_for_deduplication(api, hook, route_to, message):
    route_to({"type": "aws", "arn": TARGETS["fifo"], "group": "data.subscriber.platform_id", "input": {"a": "data.record.id"}})
    event = hook.event()
    taken = message("e2e-orders.fifo")
    assert json.loads(taken["Body"])["a"].startswith("order-")
    assert taken["Attributes"]["MessageGroupId"].startswith("u-")
    assert taken["Attributes"]["MessageDeduplicationId"] == f"{succeeded(api, event)['id']}-0"


def test_a_topic_takes_an_event_and_filters_by_its_type(cloud, api, hook, route_to, message):
    topics = cloud.client("sns")
    topic = topics.create_topic(Name="e2e-orders")["TopicArn"]
    attributes = {"RawMessageDelivery": "true", "FilterPolicy": json.dumps({"type": [{"prefix": "botstar."}]})}
    behind = f"arn:aws:sqs:us-east-1:{ACCOUNT}:e2e-behind"
    topics.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=behind, Attributes=attributes)
    assert topic == TARGETS["topic"]
    route_to({"type": "aws", "arn": topic})
    event = hook.event()
    assert json.loads(message("e2e-behind")["Body"]) == api.get(f"/v1/events/{event}")
    succeeded(api, event)


def test_a_state_machine_runs_once_for_a_delivery(cloud, api, hook, route_to, role):
    machines = cloud.client("stepfunctions")
    definition = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Pass", "End": True}}})
    machine = machines.create_state_machine(name="e2e-orders", roleArn=role, definition=definition)["stateMachineArn"]
    assert machine == TARGETS["machine"]
    route_to({"type": "aws", "arn": machine})
    event = hook.event()
    delivery = succeeded(api, event)
    [execution] = machines.list_executions(stateMachineArn=machine)["executions"]
    assert execution["name"] == f"{delivery['id']}-0"
    ran = machines.describe_execution(executionArn=execution["executionArn"])
    assert json.loads(ran["input"]) == api.get(f"/v1/events/{event}")


def test_a_function_is_invoked_with_an_event(cloud, api, hook, route_to, listener, role):
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", CODE)
    cloud.client("lambda").create_function(
        FunctionName="e2e-orders",
        Runtime="python3.13",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": code.getvalue()},
        Environment={"Variables": {"URL": f"{listener.url}/function"}},
    )
    route_to({"type": "aws", "arn": TARGETS["function"]})
    event = hook.event()
    [sent] = until(lambda: listener.at("/function"), "the function's call of the listener")
    assert json.loads(sent.body) == api.get(f"/v1/events/{event}")
    assert succeeded(api, event)["attempts"][0]["status"] == 202


def test_a_bus_that_is_not_there_fails_and_the_event_is_kept(api, hook, route_to):
    route_to({"type": "aws", "arn": TARGETS["gone"]})
    [delivery] = ended(api, hook.event())
    assert (delivery["state"], delivery["reason"]) == ("dead", "attempts_used_up")
    assert "does not exist" in delivery["attempts"][0]["error"]


def test_an_arn_that_is_not_listed_is_refused_when_saved_and_by_iam(cloud, stack, api, hook, route_to):
    unlisted = f"arn:aws:sqs:us-east-1:{ACCOUNT}:e2e-unlisted"
    cloud.client("sqs").create_queue(QueueName="e2e-unlisted")
    route = {"name": "Test", "events": ["botstar.*"], "hook": hook.id, "target": {"type": "aws", "arn": unlisted}}
    refused = api.call("POST", "/v1/routes", route)
    assert refused.status == 422 and "AwsTargets" in json.dumps(refused.body), refused
    own = stack.outputs["DeliveryQueueUrl"].rsplit("/", 1)[1]
    route["target"]["arn"] = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{own}"
    refused = api.call("POST", "/v1/routes", route)
    assert refused.status == 422 and "own queues" in json.dumps(refused.body), refused

    listed = ",".join([*TARGETS.values(), unlisted])
    with stack.variables("ApiRoutes", AWS_TARGETS=listed), stack.variables("Deliver", AWS_TARGETS=listed):
        route_to({"type": "aws", "arn": unlisted})
        [delivery] = ended(api, hook.event())
    assert (delivery["state"], delivery["reason"]) == ("dead", "attempts_used_up")
    assert delivery["attempts"][0]["status"] == 403, delivery
