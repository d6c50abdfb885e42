"""The stack itself: what its parameters may be, an update in mid-traffic, its deletion. The last file, as pytest takes
them by name."""

import json
import re
import shutil
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from client import until
from stack import REPOSITORY, make, packaged

THREADS = 3
PAUSE_SECONDS = 0.5
# Messages in flight at the replacement of their function return after the first; all are delivered within the second.
VISIBILITY_SECONDS = 10
DELIVERED_SECONDS = 90


@pytest.fixture
def refusal(cloud, template):
    """CloudFormation's error for a parameter's value; none if the value is valid."""
    # The stack has only this dummy resource: parameters are validated before any resource is created.
    resources = {"Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}
    body = json.dumps({"Parameters": template["Parameters"], "Resources": resources})

    def ask(name, value):
        try:
            cloud.client("cloudformation").create_change_set(
                StackName="refused",
                ChangeSetName="refused",
                ChangeSetType="CREATE",
                TemplateBody=body,
                Parameters=[{"ParameterKey": name, "ParameterValue": value}],
            )
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ValidationError", error
            return error.response["Error"]["Message"]

    return ask


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PublicUrl", "http://hooks.example.com", "an https URL with no query and no slash at its end"),
        ("ChatbotApiUrl", "https://api.chatbot.com/", "an https URL with no query and no slash at its end"),
        ("DedupeWindowSeconds", "-1", "a number of seconds from 0 to 86400"),
        ("EventTtlDays", "0", "a number of days from 1 to 3650"),
        ("RetrySchedule", "5,86401", "one to 50 waits of 0 to 86400 seconds"),
        ("DeliveryConcurrency", "1", "from 2 to 1000"),
        ("DeliveryAllowCidrs", "10.0.0.0", "ranges such as 10.0.0.0/8"),
        ("Architecture", "riscv64", "x86_64"),
        ("LogRetentionDays", "2", "3653"),
    ],
)
def test_a_parameter_out_of_range_is_refused_in_words(refusal, name, value, words):
    said = refusal(name, value)
    assert said is not None and name in said and words in said, said


class Traffic:
    """Posts of several threads. One that is not answered 200 is posted again, as a platform would."""

    def __init__(self, hook):
        self.hook, self.events, self.failures = hook, [], []
        self.ended = Event()
        self.threads = [Thread(target=self.post) for _ in range(THREADS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def post(self):
        while not self.ended.is_set():
            body = self.hook.body()
            while (event := self.accepted(body)) is None:
                self.ended.wait(PAUSE_SECONDS)
            self.events.append(event)
            self.ended.wait(PAUSE_SECONDS)

    def accepted(self, body):
        try:
            answer = self.hook.call(body)
        except OSError as error:
            self.failures.append(str(error))
            return None
        if answer.status == 200:
            return answer.body["event"]
        self.failures.append(str(answer.status))
        return None


def test_an_update_in_mid_traffic_loses_nothing(cloud, stack, api, hook, webhook, listener, capsys):
    route = webhook("/traffic")
    changed = "BotstarWatchCheckpointRecord"
    before = {name: stack.function(name) for name in functions(stack)}

    # Another binary that does the same: what comes after an ELF file's end is not looked at.
    code = cloud.folder / "changed"
    shutil.copytree(REPOSITORY / "target/lambda/botstar-watch-checkpoint-record", code)
    with (code / "bootstrap").open("ab") as binary:
        binary.write(b"changed")
    stack.code(changed)["CodeUri"] = str(code)
    stack.parameters["EventTtlDays"] = "91"

    with stack.attributes("DeliveryQueue", VISIBILITY_SECONDS, 10), Traffic(hook) as traffic:
        until(lambda: len(traffic.events) > THREADS, "traffic before the update")
        stack.deploy()
        count = len(traffic.events)
        until(lambda: len(traffic.events) > count + THREADS, "traffic after the update")

    after = {name: stack.function(name) for name in functions(stack)}
    assert {one["Environment"]["Variables"]["EVENT_TTL_DAYS"] for one in after.values()} == {"91"}
    assert [name for name in after if after[name]["CodeSha256"] != before[name]["CodeSha256"]] == [changed]

    assert len(traffic.events) == len(set(traffic.events))
    kept = [event["id"] for event in api.all(f"/v1/events?hook={hook.id}")]
    assert sorted(kept) == sorted(traffic.events)
    until(
        lambda: {delivery.event for delivery in listener.at("/traffic")} == set(kept),
        "every event at the listener",
        DELIVERED_SECONDS,
    )
    deliveries = until(
        lambda: (found := api.all(f"/v1/deliveries?route={route['id']}"))
        and all(one["state"] == "succeeded" for one in found)
        and found,
        "every delivery's end",
    )
    assert sorted(one["event"] for one in deliveries) == sorted(kept)
    with capsys.disabled():
        repeated = len(listener.at("/traffic")) - len(kept)
        print(f" {len(kept)} events, {repeated} delivered twice, posted again after {traffic.failures or 'none'}", end=" ")


def functions(stack):
    return [id for id, (of_type, _) in stack.resources.items() if of_type == "AWS::Lambda::Function"]


def test_a_deleted_stack_leaves_its_tables_and_its_key_to_a_new_one(cloud, stack, api, hook):
    event = hook.event()
    tables = [stack.outputs[f"{name}TableName"] for name in ("Control", "Events", "Records", "Deliveries")]
    said = make(cloud, "destroy", answers="y\ny\n")
    assert all(table in said.split("make adopt")[0] for table in tables), said
    assert set(tables) <= set(cloud.client("dynamodb").list_tables()["TableNames"])
    key = cloud.client("kms").describe_key(KeyId=stack.outputs["SealingKeyArn"])["KeyMetadata"]
    assert key["KeyState"] == "Enabled"
    left = cloud.client("lambda").list_functions(MaxItems=50)["Functions"]
    assert [one["FunctionName"] for one in left if one["FunctionName"].startswith(f"{stack.name}-")] == []
    assert api.call("GET", "/v1/health").status == 404

    kept = re.search(r'make adopt CONFIG_ENV=dev KEPT="([^"]*)"', said)[1]
    with pytest.raises(RuntimeError, match="adopt: .*nothing-of-this-name"):
        make(cloud, "adopt", KEPT=kept.replace(tables[0], "nothing-of-this-name"))
    make(cloud, "adopt", KEPT=kept)
    del stack.outputs
    # The code was deleted with the stack.
    stack.template = packaged(cloud)
    stack.deploy()
    assert [stack.outputs[f"{name}TableName"] for name in ("Control", "Events", "Records", "Deliveries")] == tables
    api.domain = urlsplit(stack.outputs["ApiUrl"]).netloc
    assert api.get(f"/v1/events/{event}")["id"] == event
    assert api.get(f"/v1/hooks/{hook.id}")["url"].endswith(hook.url.rsplit("/", 1)[1])
