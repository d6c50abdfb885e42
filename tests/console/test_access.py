"""People who see, hear or move in other ways can use the console: axe's rules, a phone's screen, keys alone."""

import json
import time
import urllib.error
from pathlib import Path

import pytest
from playwright.sync_api import expect

AXE = (Path(__file__).parents[2] / "functions/console/web/node_modules/axe-core/axe.min.js").read_text()
AREAS = ["Overview", "Events", "Modules", "Connections", "Hooks", "Routes", "Deliveries", "Subscribers", "Records", "Takeovers", "Keys"]
ORDER = {
    "user": {"id": "u-1", "name": "Ava Chen", "email": "ava@example.com", "tags": ["vip"]},
    "checkpoint": {"name": "Coffee Order"},
    "record": {"fields": {"Product": "Latte", "Quantity": "2", "Remarks": "oat milk, if there is any left by then"}},
}
DEAD_SECONDS = 20


def faults(page):
    page.evaluate(AXE)
    found = page.evaluate("axe.run()")["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found if one["impact"] in ("serious", "critical")]


def test_the_sign_in_has_no_serious_fault(page):
    assert faults(page) == []


@pytest.fixture
def filled(switchboard, listener, post):
    """Something of each kind, and the pages of one of each."""
    listener.statuses["/shop"] = 500
    connection = switchboard.connection("botstar", "Coffee bot")
    switchboard.connection("botdistrikt", "Website", webchat_app_id=4711, domain="coffee.example.com")
    orders = switchboard.hook("botstar.watch-checkpoint-record", "Orders", connection)
    help_wanted = switchboard.hook("botstar.watch-human-takeover", "Help", connection)
    target = {"type": "webhook", "url": f"{listener.url}/shop", "headers": {"x-shop": "1"}, "body": {"who": "data.subscriber.name"}}
    route = switchboard.call("POST", "/v1/routes", {"name": "To the shop", "events": ["botstar.*"], "target": target})
    post(orders["url"], json.dumps(ORDER))
    post(help_wanted["url"], json.dumps({"user": {"id": "u-1"}, "reason": "Where is my coffee?"}))
    with pytest.raises(urllib.error.HTTPError):
        post(orders["url"], "{")
    switchboard.call("PATCH", f"/v1/hooks/{help_wanted['id']}", {"enabled": False})
    ends = time.monotonic() + DEAD_SECONDS
    while len(switchboard.call("GET", "/v1/deliveries?state=dead")["items"]) < 2:
        assert time.monotonic() < ends
        time.sleep(0.2)
    event = switchboard.call("GET", "/v1/events?type=botstar.checkpoint_record.created")["items"][0]
    other = switchboard.call("GET", "/v1/events?type=botstar.takeover.requested")["items"][0]
    delivery = switchboard.call("GET", "/v1/deliveries")["items"][0]
    agent = switchboard.agent("N" * 200, "botstar.*", *("*" * length for length in range(1, 40)))
    subscription = switchboard.subscription(agent, "botstar.tag.added", f"{listener.url}/agent", tag="t" * 200, connection=connection)
    hook = f"hooks/{orders['id']}"
    return [
        f"connections/{connection}",
        *(hook + tab for tab in ["", "?tab=rejected", "?tab=mapping", "?tab=settings"]),
        *(f"routes/{route['id']}{tab}" for tab in ["", "?tab=facts", "?tab=builder"]),
        "routes?tab=subscriptions",
        f"routes/{subscription}",
        f"keys/{agent['id']}",
        f"events/{event['id']}",
        f"events?open={event['id']}",
        f"compare?a={event['id']}&b={other['id']}",
        f"deliveries/{delivery['id']}",
        f"deliveries?open={delivery['id']}",
        f"subscribers/{event['subject']}",
        f"records/{event['id'].replace('evt_', 'cpr_')}",
        "modules/botstar.watch-tag",
        "modules/chatbot.create-user",
        "rejected",
        "routes/new",
    ]


def pages(page, switchboard, ones):
    """Each page, when what it shows is there."""
    for area in AREAS:
        page.get_by_role("navigation").get_by_role("link", name=area).click()
        expect(page.get_by_role("heading", name="Checkpoint records" if area == "Records" else area, level=1)).to_be_visible()
        page.wait_for_load_state("networkidle")
        yield area
    for one in ones:
        page.goto(f"{switchboard.url}/console#/{one}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_load_state("networkidle")
        yield one


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault(signed_in, switchboard, filled, scheme):
    signed_in.emulate_media(color_scheme=scheme)
    for name in pages(signed_in, switchboard, filled):
        assert faults(signed_in) == [], name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_dialog_has_a_serious_fault(signed_in, switchboard, filled, scheme):
    signed_in.emulate_media(color_scheme=scheme)
    dialogs = [
        ("events?time=24h", "Replay all that match…"),
        ("routes", "Import…"),
        ("keys", "Create a key"),
        ("connections", "Create a connection"),
        ("overview", "Search Ctrl K"),
    ]
    for place, button in dialogs:
        signed_in.goto(f"{switchboard.url}/console#/{place}")
        signed_in.get_by_role("button", name=button).click()
        expect(signed_in.get_by_role("dialog")).to_be_visible()
        signed_in.wait_for_load_state("networkidle")
        assert faults(signed_in) == [], place
        signed_in.keyboard.press("Escape")
        expect(signed_in.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("width", [1280, 360])
def test_the_form_of_a_key_has_no_serious_fault(signed_in, switchboard, width):
    signed_in.set_viewport_size({"width": width, "height": 740})
    signed_in.goto(f"{switchboard.url}/console#/keys")
    signed_in.get_by_role("button", name="Create a key").click()
    signed_in.get_by_text("Events that it may subscribe to").click()
    signed_in.get_by_label("Name").fill("Agent")
    signed_in.get_by_label("Scope").select_option("read")
    signed_in.get_by_label("Or types").fill("viber." + "x" * 90)
    signed_in.get_by_role("button", name="Create the key").click()
    expect(signed_in.get_by_text("matches no event type")).to_have_count(1)
    expect(signed_in.get_by_label("Or types")).to_be_focused()
    assert faults(signed_in) == []
    assert signed_in.evaluate(WIDER) == []


def test_a_form_with_faults_has_no_serious_fault(signed_in, switchboard):
    signed_in.goto(f"{switchboard.url}/console#/modules/chatbot.search-users")
    signed_in.get_by_role("button", name="Run").click()
    expect(signed_in.get_by_text("is required")).to_be_visible()
    expect(signed_in.get_by_label("Connection")).to_be_focused()
    assert faults(signed_in) == []


def test_the_builder_of_routes_has_no_serious_fault(signed_in, switchboard):
    signed_in.goto(f"{switchboard.url}/console#/routes/new")
    signed_in.get_by_label("New Checkpoint Record").check()
    signed_in.get_by_label("Custom fields").check()
    signed_in.get_by_role("button", name="Add field").click()
    signed_in.get_by_label("Filter").fill("data.")
    expect(signed_in.get_by_label("Filter")).to_have_attribute("aria-invalid", "true")
    assert faults(signed_in) == []
    signed_in.get_by_label("An action").check()
    signed_in.get_by_role("combobox", name="Action", exact=True).select_option("chatbot.ban-user")
    assert faults(signed_in) == []


# Where something of the page ends that can't be seen but by scrolling sideways; the areas are a row of their own.
WIDER = """[...document.querySelectorAll("main *")]
    .filter((one) => one.checkVisibility() && one.scrollWidth > one.clientWidth && getComputedStyle(one).overflowX === "auto")
    .map((one) => one.outerHTML)"""


def test_nothing_is_wider_than_a_phone(signed_in, switchboard, filled):
    signed_in.set_viewport_size({"width": 360, "height": 740})
    for name in pages(signed_in, switchboard, filled):
        assert signed_in.evaluate("document.documentElement.scrollWidth") <= 360, name
        assert signed_in.evaluate(WIDER) == [], name
    signed_in.get_by_label("New Checkpoint Record").check()
    expect(signed_in.get_by_role("heading", name="The event", exact=True)).to_be_visible()
    assert signed_in.evaluate("document.documentElement.scrollWidth") <= 360


def test_keys_alone_lead_from_the_door_to_a_module(page, switchboard):
    page.keyboard.press("Tab")
    page.keyboard.type(switchboard.key)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    for _ in range(6):
        page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Modules")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Modules")).to_be_visible()
    expect(page.locator("main")).to_be_focused()
