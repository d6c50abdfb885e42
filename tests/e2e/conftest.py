"""Fixtures of all tests: one MiniStack with one stack, created on first use."""

import json
import platform
import signal
from itertools import count
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pytest

from client import Api, until
from cloud import Cloud
from listener import Listener
from sandbox import TOKEN, Sandbox
from stack import Stack, make, packaged, packaged_without_loops

# As samconfig.toml names it.
STACK = "switchboard-dev"
LOG_TAIL = 20_000
ACCOUNT = "000000000000"
# Resources that routes may target.
TARGETS = {
    "bus": f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/e2e-orders",
    "gone": f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/e2e-gone",
    "queue": f"arn:aws:sqs:us-east-1:{ACCOUNT}:e2e-orders",
    "fifo": f"arn:aws:sqs:us-east-1:{ACCOUNT}:e2e-orders.fifo",
    "topic": f"arn:aws:sns:us-east-1:{ACCOUNT}:e2e-orders",
    "machine": f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:e2e-orders",
    "function": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:e2e-orders",
}
# The lists of the API that the update has to leave as they are.
KEPT = ("connections", "hooks", "events", "subscribers", "checkpoint-records", "routes", "deliveries", "keys")

# Ended by these, pytest ends what it has started, as it does when it is interrupted.
for ending in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(ending, signal.default_int_handler)


def running(process):
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def folder():
    with TemporaryDirectory(prefix="e2e-") as folder:
        yield folder


@pytest.fixture(scope="session")
def cloud(folder):
    yield from running(Cloud(folder))


@pytest.fixture(scope="session")
def sandbox(folder):
    yield from running(Sandbox(folder))


@pytest.fixture(scope="session")
def listener():
    yield from running(Listener())


@pytest.fixture(scope="session")
def template(cloud):
    return packaged(cloud)


@pytest.fixture(scope="session")
def updated(cloud, sandbox, template):
    """The stack that all tests call: made of the template without loops, filled with data, and updated."""
    parameters = {
        "Architecture": "arm64" if platform.machine() == "aarch64" else "x86_64",
        "ChatbotApiUrl": f"{sandbox.url}/chatbot",
        "DeliveryAllowCidrs": "127.0.0.0/8",
        "RetrySchedule": "1,1",
    }
    stack = Stack(cloud, packaged_without_loops(cloud, template), STACK, parameters)
    stack.deploy()
    api = Api(cloud.port, urlsplit(stack.outputs["ApiUrl"]).netloc, json.loads(make(cloud, "key"))["key"])
    before = Before(api, stack)
    stack.template = template
    stack.parameters["AwsTargets"] = ",".join(TARGETS.values())
    stack.deploy()
    del stack.outputs
    return before


@pytest.fixture(scope="session")
def stack(updated):
    return updated.stack


@pytest.fixture(scope="session")
def api(updated):
    """The API, with the deployment's first key."""
    return updated.api


@pytest.fixture(scope="session")
def botstar(api):
    return api.post("/v1/connections", {"platform": "botstar", "name": "Coffee bot"})["id"]


@pytest.fixture(scope="session")
def chatbot(api):
    credentials = {"access_token": TOKEN}
    return api.post("/v1/connections", {"platform": "chatbot", "name": "Sandbox", "credentials": credentials})["id"]


class Before:
    """The stack before its update: its resources and outputs, and data that an API call made of every kind."""

    def __init__(self, api, stack):
        self.api, self.stack, self.resources, self.outputs = api, stack, stack.resources, stack.outputs
        credentials = {"access_token": TOKEN}
        chatbot = {"platform": "chatbot", "name": "Before", "credentials": credentials}
        self.chatbot = api.post("/v1/connections", chatbot)["id"]
        botstar = api.post("/v1/connections", {"platform": "botstar", "name": "Before"})["id"]
        trigger = "botstar.watch-checkpoint-record"
        self.hook = Hook(api, api.post("/v1/hooks", {"trigger": trigger, "name": "Before", "connection": botstar}))
        target = {"type": "action", "action": "chatbot.list-stories", "connection": self.chatbot, "input": {}}
        route = {"name": "Before", "events": ["botstar.*"], "hook": self.hook.id, "target": target}
        self.route = api.post("/v1/routes", route)["id"]
        self.body = self.hook.body()
        self.event = self.hook.call(self.body).body["event"]
        until(lambda: self.deliveries("succeeded"), "the delivery before the update")
        self.lists = {name: self.list(name) for name in KEPT}

    def deliveries(self, state):
        return self.api.get(f"/v1/deliveries?route={self.route}&state={state}")["items"]

    def list(self, name):
        return self.api.all(f"/v1/{name}?")


class Hook:
    """A hook of botstar.watch-checkpoint-record, and its URL as BotStar calls it."""

    bodies = count()

    def __init__(self, api, made):
        self.api, self.id, self.url = api, made["id"], made["url"]
        self.path = self.url.removeprefix(f"https://{api.domain}")

    def call(self, body):
        return self.api.call("POST", self.path, body)

    def body(self):
        """One that no other call has."""
        number = next(self.bodies)
        return {
            "user": {"id": f"u-{number}", "name": "Ava Chen"},
            "checkpoint": {"name": "Coffee Order"},
            "record": {"id": f"order-{number}", "fields": {"Product": "Latte"}},
        }

    def event(self):
        """Has a new event come; its id."""
        answer = self.call(self.body())
        assert answer.status == 200 and answer.body["status"] == "accepted", answer
        return answer.body["event"]


@pytest.fixture
def hook(api, botstar):
    """A hook of the test's own."""
    trigger = "botstar.watch-checkpoint-record"
    made = api.post("/v1/hooks", {"trigger": trigger, "name": "Orders", "connection": botstar})
    yield Hook(api, made)
    api.ask("DELETE", f"/v1/hooks/{made['id']}")


@pytest.fixture
def route_to(api, hook):
    """Makes routes that carry what comes to the test's hook to a target."""
    made = []

    def make(target):
        events = ["botstar.checkpoint_record.created"]
        made.append(api.post("/v1/routes", {"name": "Test", "events": events, "hook": hook.id, "target": target}))
        return made[-1]

    yield make
    for route in made:
        api.ask("DELETE", f"/v1/routes/{route['id']}")


@pytest.fixture
def webhook(listener, route_to):
    """Makes a route to a path of the listener."""
    return lambda path: route_to({"type": "webhook", "url": f"{listener.url}{path}"})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the logs of MiniStack and of the functions to the report of a failed test."""
    report = yield
    cloud = item.funcargs.get("cloud")
    if report.failed and cloud and cloud.log.exists():
        report.sections.append(("MiniStack's log", cloud.log.read_text(errors="replace")[-LOG_TAIL:]))
    return report
