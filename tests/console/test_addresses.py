"""Addresses typed or sent by a stranger: an id leads to an item of its own kind, or nowhere."""

import json
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

# Steps that lead out of a list, as they stand between the slashes of a path.
ESCAPES = ["../{list}/{id}", "x/../../{list}/{id}", "..\\{list}\\{id}", "%2e%2e/{list}/{id}", ".\t./{list}/{id}", "../../v1/{list}/{id}"]


@pytest.fixture
def items(switchboard, listener, post):
    """An item of each kind that has a page: its id by its area."""
    connection = switchboard.connection("botstar", "Coffee bot")
    hook = switchboard.hook("botstar.watch-tag", "Tags", connection)
    target = {"type": "webhook", "url": f"{listener.url}/in"}
    route = switchboard.call("POST", "/v1/routes", {"name": "Shop", "events": ["*"], "target": target})
    post(hook["url"], json.dumps({"user": {"id": "u-1", "name": "Ava Chen"}, "tag": "vip"}))
    event = switchboard.call("GET", "/v1/events?limit=1")["items"][0]["id"]
    return {"connections": connection, "hooks": hook["id"], "routes": route["id"], "events": event}


def visit(page, switchboard, area, step):
    """Opens an address of an area, and returns the calls of the API that it makes until it is shown."""
    asked = []
    page.goto(f"{switchboard.url}/console#/overview")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.wait_for_load_state("networkidle")
    listen = lambda request: asked.append(request.url)  # noqa: E731
    page.on("request", listen)
    page.goto(f"{switchboard.url}/console#/{area}/{quote(step, safe='')}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.remove_listener("request", listen)
    return [url for url in asked if "/v1/" in url]


@pytest.mark.parametrize("area", ["subscribers", "events", "hooks", "routes"])
def test_an_address_that_leads_out_of_its_list_shows_nothing(signed_in, switchboard, items, area):
    for other, id in items.items():
        if other == area:
            continue
        for escape in ESCAPES:
            step = escape.format(list=other, id=id)
            assert visit(signed_in, switchboard, area, step) == [], step
            expect(signed_in.get_by_role("heading", name="Nothing here")).to_be_visible()
            expect(signed_in.get_by_role("button", name="Erase the person")).to_have_count(0)


@pytest.mark.parametrize("area", ["subscribers", "events", "hooks", "routes"])
def test_an_id_of_another_kind_or_with_more_behind_it_shows_nothing(signed_in, switchboard, items, area):
    kinds = {"subscribers": "sub_0a", "events": "evt_0a", "hooks": "hook_0a", "routes": "rt_0a"}
    own = items.get(area, kinds[area])
    others = [id for other, id in items.items() if other != area]
    for step in [*others, own + "?force=true", own + "#x", own + "/test", own + " ", own.upper(), "x" + own, "new?", ".", "..", "%"]:
        assert visit(signed_in, switchboard, area, step) == [], step
        expect(signed_in.get_by_role("heading", name="Nothing here")).to_be_visible()


def test_no_connection_is_shown_by_what_is_not_its_id(signed_in, switchboard, items):
    for escape in ["../routes/{}", "con_../../routes/{}", "con_0a/../../routes/{}"]:
        for url in visit(signed_in, switchboard, "connections", escape.format(items["routes"])):
            assert "rt_" not in url
        expect(signed_in.get_by_text("Shop")).to_have_count(0)


def test_every_item_is_shown_at_its_own_address(signed_in, switchboard, items):
    person = switchboard.first("/v1/subscribers")["id"]
    for area, id in {**items, "subscribers": person}.items():
        assert any(f"/v1/{area}/{id}" in url for url in visit(signed_in, switchboard, area, id))
        expect(signed_in.get_by_role("heading", name="Nothing here")).to_have_count(0)
