"""A function that lacks a variable fails when it starts, and says which."""

import json
from urllib.parse import urlsplit

import pytest


@pytest.fixture
def without(cloud, stack):
    """Makes a copy of a function without one of its variables; its name."""
    functions, name = cloud.client("lambda"), "without-a-variable"

    def make(function, variable):
        code = urlsplit(stack.code(function)["CodeUri"])
        deployed = stack.function(function)
        variables = deployed["Environment"]["Variables"]
        functions.create_function(
            FunctionName=name,
            Role=deployed["Role"],
            Runtime=deployed["Runtime"],
            Handler=deployed["Handler"],
            Code={"S3Bucket": code.netloc, "S3Key": code.path.lstrip("/")},
            Environment={"Variables": {key: value for key, value in variables.items() if key != variable}},
        )
        assert variable in variables
        return name

    yield make
    functions.delete_function(FunctionName=name)


@pytest.mark.parametrize(
    ("function", "variable"),
    [
        ("BotstarWatchTag", "CONTROL_TABLE"),
        ("ChatbotGetUser", "CONTROL_TABLE"),
        ("ApiEvents", "EVENTS_TABLE"),
        ("ApiEvents", "DELIVERY_QUEUE_URL"),
        ("ApiDeliveries", "DELIVERY_QUEUE_URL"),
        ("ApiConnections", "SEALING_KEY_ARN"),
        ("ChatbotGetUser", "SEALING_KEY_ARN"),
        ("Dispatch", "DELIVERY_QUEUE_URL"),
        ("Dispatch", "DEAD_LETTER_QUEUE_URL"),
        ("Deliver", "SEALING_KEY_ARN"),
        ("Deliver", "DELIVERY_QUEUE_URL"),
        ("Deliver", "DEAD_LETTER_QUEUE_URL"),
        ("Deliver", "ACTION_FUNCTION_PREFIX"),
        ("ApiMcp", "ACTION_FUNCTION_PREFIX"),
        ("ApiMcp", "EVENTS_FUNCTION"),
        ("ApiMcp", "DELIVERIES_FUNCTION"),
        ("Due", "DELIVERY_QUEUE_URL"),
    ],
)
def test_a_function_without_a_variable_fails_at_init_with_its_name(cloud, without, function, variable):
    invoked = cloud.client("lambda").invoke(FunctionName=without(function, variable), Payload="{}")
    said = json.load(invoked["Payload"])
    assert invoked.get("FunctionError") == "Unhandled", said
    assert "during init" in said["errorMessage"] and variable in said["errorMessage"], said
