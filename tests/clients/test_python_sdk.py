"""The official Python SDK, in the present revision and in the handshake of the earlier ones."""

import json

import httpx2
import pytest
from mcp import MCPError
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

pytestmark = pytest.mark.anyio

REVISIONS = {"auto": "2026-07-28", "legacy": "2025-11-25"}
INVALID_PARAMS = -32602
READS = {
    "list_connections",
    "list_events",
    "get_event",
    "list_subscribers",
    "get_subscriber",
    "list_checkpoint_records",
    "list_takeovers",
    "list_deliveries",
}


@pytest.fixture(params=REVISIONS)
def mode(request):
    return request.param


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def client(switchboard, mode):
    """Makes a client with a key."""

    def client(key, hooks=None):
        http_client = httpx2.AsyncClient(headers={"authorization": f"Bearer {key}"}, event_hooks=hooks)
        return Client(streamable_http_client(switchboard.mcp_url, http_client=http_client), mode=mode)

    return client


def problem(result):
    """The problem of a tool that failed."""
    assert result.is_error and result.structured_content is None, result
    return json.loads(result.content[0].text)


async def output(client, tool, arguments):
    """The output of a tool. The client compares it with the tool's schema, and raises if it doesn't fit."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    assert json.loads(result.content[0].text) == result.structured_content
    return result.structured_content


async def test_both_modes_find_the_server_and_its_tools(client, mode, switchboard):
    async with client(switchboard.key) as client:
        assert client.protocol_version == REVISIONS[mode]
        assert client.server_info.name == "switchboard"
        assert "list_connections" in client.instructions
        listed = await client.list_tools()
    assert listed.next_cursor is None
    tools = {tool.name: tool for tool in listed.tools}
    assert READS < set(tools)
    assert tools["list_events"].annotations.read_only_hint
    assert tools["chatbot_ban_user"].annotations.destructive_hint
    assert all(tool.output_schema["type"] == "object" for tool in tools.values())


async def test_an_action_and_a_read_return_validated_output(client, switchboard):
    connection = switchboard.chatbot()
    async with client(switchboard.new_key("act")[1]) as client:
        await client.list_tools()
        connections = await output(client, "list_connections", {})
        assert connection in [one["id"] for one in connections["items"]]
        new = {"connection": connection, "name": "Zoe Park", "idempotency_key": f"signup-{connection}"}
        created = await output(client, "chatbot_create_user", new)
        assert await output(client, "chatbot_create_user", new) == created, "a repeated call creates no second user"
        user = await output(client, "chatbot_get_user", {"connection": connection, "user_id": created["id"]})
    assert "Zoe Park" in json.dumps(user)


async def test_a_failed_call_is_a_result_that_the_model_can_correct(client, switchboard):
    connection = switchboard.chatbot()
    async with client(switchboard.new_key("act")[1]) as client:
        await client.list_tools()
        missing = await client.call_tool("chatbot_get_user", {"connection": connection, "user_id": "nobody"})
        assert problem(missing)["retry"] == "never"
        invalid = problem(await client.call_tool("chatbot_get_user", {"connection": connection, "user": "u-1"}))
        assert invalid["code"] == "invalid_body"
        assert {error["pointer"] for error in invalid["errors"]} == {"/user", "/user_id"}
        with pytest.raises(MCPError) as unknown:
            await client.call_tool("chatbot_make_coffee", {})
    assert unknown.value.error.code == INVALID_PARAMS


async def test_a_key_has_the_tools_of_its_scope(client, switchboard):
    connection = switchboard.chatbot()
    async with client(switchboard.new_key("read")[1]) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == READS
        refused = await client.call_tool("chatbot_get_user", {"connection": connection, "user_id": "u-1"})
    assert problem(refused)["code"] == "forbidden"


async def test_a_deleted_key_opens_nothing(client, switchboard):
    key, text = switchboard.new_key("read")
    switchboard.call("DELETE", f"/v1/keys/{key}")
    statuses = []

    async def note(response):
        statuses.append(response.status_code)

    # The client reports no status.
    with pytest.RaisesGroup(MCPError, flatten_subgroups=True):
        async with client(text, {"response": [note]}):
            pytest.fail("the server took a deleted key")
    assert set(statuses) == {401}
