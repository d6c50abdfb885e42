"""MCP clients' subscriptions: listed apart from routes, shown, and ended."""

import json
import re

import pytest
from playwright.sync_api import expect

CHANGES = ["Change", "Enable", "Disable", "Export", "Retry all"]


@pytest.fixture
def hook(switchboard):
    return switchboard.hook("botstar.watch-tag", "Tags", switchboard.connection("botstar", "Coffee bot"))


@pytest.fixture
def agent(switchboard):
    return switchboard.agent("Research agent", "botstar.*")


@pytest.fixture
def subscription(switchboard, listener, agent, hook):
    """The id of a subscription to a tag of the hook."""
    return switchboard.subscription(agent, "botstar.tag.added", f"{listener.url}/agent/s3cret", tag="vip", hook=hook["id"])


@pytest.fixture
def delivery(switchboard, post, hook, subscription):
    """A delivery to the subscription."""
    post(hook["url"], json.dumps({"user": {"id": "u-1", "name": "Ava Chen"}, "tag": "vip"}))
    return switchboard.first(f"/v1/deliveries?route={subscription}&state=succeeded")["id"]


def rows(page):
    return page.get_by_role("table", name="MCP subscriptions").locator("tbody tr")


def visit(page, switchboard, place):
    page.goto(f"{switchboard.url}/console#/{place}")


def test_a_key_states_which_events_it_may_subscribe_to(signed_in, switchboard, area):
    page = signed_in
    area(page, "Keys")
    page.get_by_role("button", name="Create a key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Agent")
    dialog.get_by_label("Scope").select_option("read")
    dialog.get_by_text("Events that it may subscribe to: none").click()
    expect(dialog).to_contain_text("sent to any URL that it chooses")
    dialog.get_by_label("Watch New Tag on User").check()
    dialog.get_by_label("Or types").fill("viber.*\nswitchboard.*")
    dialog.get_by_role("button", name="Create the key").click()
    expect(dialog.get_by_text("viber.* matches no event type")).to_be_visible()
    dialog.get_by_label("Or types").fill("switchboard.*")
    dialog.get_by_role("button", name="Create the key").click()
    expect(dialog).to_contain_text("It may subscribe to Tag on User, switchboard.*.")
    dialog.get_by_role("button", name="Done").click()
    row = page.get_by_role("table", name="Keys").get_by_role("row").filter(has_text="Agent")
    expect(row).to_contain_text("Tag on User, switchboard.*")
    row.get_by_role("link", name="Agent").click()
    expect(page.get_by_role("heading", name="Agent", level=1)).to_be_visible()
    expect(page.get_by_role("definition").filter(has_text="botstar.tag.added")).to_be_visible()
    stored = {key["name"]: key["subscribe"] for key in switchboard.call("GET", "/v1/keys")["items"]}
    assert stored == {"the first key": [], "Agent": ["botstar.tag.added", "switchboard.*"]}


def test_a_key_may_subscribe_to_nothing_by_default(signed_in, switchboard, area):
    page = signed_in
    area(page, "Keys")
    page.get_by_role("button", name="Create a key").click()
    page.get_by_label("Name").fill("Reporting")
    page.get_by_label("Scope").select_option("read")
    page.get_by_role("button", name="Create the key").click()
    expect(page.get_by_role("dialog", name="Reporting is created")).not_to_contain_text("subscribe")
    page.get_by_role("button", name="Done").click()
    page.get_by_role("table").get_by_role("link", name="Reporting").click()
    expect(page.get_by_role("definition").filter(has_text="no events")).to_be_visible()
    page.get_by_role("button", name="Revoke Reporting").click()
    expect(page.get_by_role("dialog")).not_to_contain_text("subscriptions")
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("heading", name="Keys", level=1)).to_be_visible()
    expect(page.get_by_role("table")).not_to_contain_text("Reporting")


def test_subscriptions_are_listed_apart_from_routes(signed_in, switchboard, listener, subscription, area, tab):
    page = signed_in
    target = {"type": "webhook", "url": f"{listener.url}/shop"}
    switchboard.call("POST", "/v1/routes", {"name": "To the shop", "events": ["*"], "target": target})
    area(page, "Routes")
    routes = page.get_by_role("table", name="Routes").locator("tbody tr")
    expect(routes).to_have_count(1)
    expect(routes).to_contain_text("To the shop")
    tab(page, "MCP subscriptions")
    expect(rows(page)).to_have_count(1)
    expect(page.get_by_role("link", name="Create a route")).to_have_count(0)
    host = listener.url.removeprefix("http://")
    for text in ["Tag on User", "healthy", "hook: Tags, tag: vip", host, "Research agent", "in 59 min"]:
        expect(rows(page)).to_contain_text(text)
    expect(page.get_by_role("main")).not_to_contain_text("s3cret")
    page.reload()
    rows(page).get_by_role("link", name="Research agent").click()
    expect(page.get_by_role("heading", name="Research agent", level=1)).to_be_visible()
    page.get_by_role("link", name=f"botstar.tag.added to {listener.url}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("botstar.tag.added to"))


def test_a_subscription_appears_and_goes_without_a_reload(signed_in, switchboard, listener, agent):
    page = signed_in
    visit(page, switchboard, "routes?tab=subscriptions")
    expect(page.get_by_role("heading", name="No subscription yet")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text(f"{switchboard.url}/mcp")
    expect(page.get_by_role("main")).to_contain_text("docs/mcp.md")
    id = switchboard.subscription(agent, "botstar.subscriber.created", f"{listener.url}/agent")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("Research agent")
    switchboard.call("DELETE", f"/v1/routes/{id}")
    expect(page.get_by_role("heading", name="No subscription yet")).to_be_visible()


def test_a_subscription_is_shown_but_not_changed(signed_in, switchboard, subscription, delivery):
    page = signed_in
    visit(page, switchboard, f"routes/{subscription}")
    facts = page.get_by_role("definition")
    for text in ["botstar.tag.added", "Tags", "vip", "/••••", "unless its client renews it"]:
        expect(facts.filter(has_text=text).first).to_be_visible()
    expect(page.get_by_role("table", name="Deliveries")).to_contain_text("Ava Chen")
    for name in CHANGES:
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    expect(page.get_by_role("link", name="Duplicate")).to_have_count(0)
    expect(page.get_by_role("tab")).to_have_count(0)
    for more in ["?tab=builder", "?event=evt_0"]:
        visit(page, switchboard, f"routes/{subscription}{more}")
        expect(page.get_by_role("table", name="Deliveries")).to_be_visible()
        expect(page.get_by_label("Filter")).to_have_count(0)
    page.get_by_role("link", name="MCP subscriptions").click()
    expect(rows(page)).to_have_count(1)


def test_a_delivery_names_its_subscription(signed_in, switchboard, listener, subscription, delivery, tab):
    page = signed_in
    name = f"botstar.tag.added to {listener.url}"
    visit(page, switchboard, "routes?tab=subscriptions")
    page.get_by_role("link", name=f"Deliveries of {name}").click()
    expect(page.get_by_role("heading", name="Deliveries", level=1)).to_be_visible()
    chosen = page.get_by_label("Route", exact=True)
    expect(chosen.locator("option:checked")).to_have_text(name)
    row = page.get_by_role("table", name="Deliveries").locator("tbody tr")
    expect(row).to_contain_text(name)
    visit(page, switchboard, f"deliveries/{delivery}")
    expect(page.get_by_role("definition").filter(has_text="(MCP client)")).to_be_visible()
    expect(page.get_by_role("link", name="Open in the builder")).to_have_count(0)
    tab(page, "Request as of now")
    expect(page.get_by_role("tabpanel")).to_contain_text("x-mcp-subscription-id")
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    switchboard.call("DELETE", f"/v1/routes/{subscription}")
    page.reload()
    expect(page.get_by_text("no such route")).to_be_visible()
    visit(page, switchboard, f"deliveries/{delivery}")
    expect(page.get_by_role("link", name="an ended subscription")).to_be_visible()


def test_a_subscription_is_ended_after_a_question(signed_in, switchboard, listener, agent, subscription):
    page = signed_in
    other = switchboard.subscription(agent, "botstar.subscriber.created", f"{listener.url}/agent")
    ended = lambda id: id not in {one["id"] for one in switchboard.call("GET", "/v1/routes?kind=mcp")["items"]}  # noqa: E731
    visit(page, switchboard, "routes?tab=subscriptions")
    expect(rows(page)).to_have_count(2)
    button = page.get_by_role("button", name="End botstar.tag.added")
    button.click()
    expect(page.get_by_role("dialog")).to_contain_text("unless it subscribes again")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert not ended(subscription)
    button.click()
    page.get_by_role("dialog").get_by_role("button", name="End").click()
    expect(page.get_by_text("The subscription is ended.")).to_be_visible()
    expect(rows(page)).to_have_count(1)
    assert ended(subscription)
    visit(page, switchboard, f"routes/{other}")
    page.get_by_role("button", name="End botstar.subscriber.created").click()
    page.get_by_role("dialog").get_by_role("button", name="End").click()
    expect(page.get_by_role("heading", name="No subscription yet")).to_be_visible()
    assert ended(other)


def test_a_revoked_key_takes_its_subscriptions_with_it(signed_in, switchboard, agent, subscription):
    page = signed_in
    visit(page, switchboard, f"keys/{agent['id']}")
    page.get_by_role("button", name="Revoke Research agent").click()
    expect(page.get_by_role("dialog")).to_contain_text("its MCP subscriptions end")
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("heading", name="Keys", level=1)).to_be_visible()
    visit(page, switchboard, "routes?tab=subscriptions")
    expect(page.get_by_role("heading", name="No subscription yet")).to_be_visible()
    visit(page, switchboard, f"keys/{agent['id']}")
    expect(page.get_by_text("no such key")).to_be_visible()


def test_a_reader_sees_subscriptions_and_can_t_end_them(page, switchboard, subscription):
    key = switchboard.call("POST", "/v1/keys", {"name": "Reader", "scope": "read"})["key"]
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Reader · read")).to_be_visible()
    visit(page, switchboard, "routes?tab=subscriptions")
    expect(rows(page)).to_have_count(1)
    expect(page.get_by_role("button", name="End")).to_have_count(0)
    visit(page, switchboard, f"routes/{subscription}")
    expect(page.get_by_text("To end it, sign in with a key of scope admin. Yours has read.")).to_be_visible()
    expect(page.get_by_role("button", name="End")).to_have_count(0)


def test_a_subscription_says_that_it_fails_or_has_ended(signed_in, switchboard, subscription):
    page = signed_in
    stored = switchboard.call("GET", f"/v1/routes/{subscription}")
    failing = {"state": "failing", "since": "2026-01-02T03:04:05.000Z", "disables_at": None}
    past = stored["target"] | {"expires_at": "2026-01-02T03:04:05.000Z"}
    for shown, state in [({"health": failing}, "failing"), ({"health": failing, "target": past}, "ended")]:
        answer = {"items": [stored | shown], "next": None}
        page.route(re.compile(r"/v1/routes\?.*kind=mcp"), lambda route, _, answer=answer: route.fulfill(json=answer))
        visit(page, switchboard, "overview")
        visit(page, switchboard, "routes?tab=subscriptions")
        expect(rows(page).locator("td").first).to_have_text(state)
        page.unroute_all()


def test_a_subscription_is_found_by_its_name_and_its_id(signed_in, switchboard, subscription):
    page = signed_in
    for typed in [subscription, "tag.added to"]:
        page.keyboard.press("Control+k")
        page.get_by_role("combobox", name="Search").fill(typed)
        option = page.get_by_role("option").filter(has_text="MCP subscription")
        expect(option).to_have_count(1)
        option.click()
        expect(page.get_by_role("heading", name="botstar.tag.added to", level=1)).to_be_visible()


def test_a_subscription_is_no_route_on_other_pages(signed_in, switchboard, hook, subscription, delivery):
    page = signed_in
    page.reload()
    drawn = page.get_by_role("region", name="Hooks, routes and targets")
    expect(drawn.get_by_role("link", name="Tags").first).to_be_visible()
    expect(drawn).not_to_contain_text("botstar.tag.added")
    visit(page, switchboard, f"hooks/{hook['id']}?tab=routes")
    expect(page.get_by_role("tabpanel")).to_contain_text("None: no route sends its events on.")
    visit(page, switchboard, f"routes/new?copy={subscription}")
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("")
    expect(page.get_by_label("URL")).to_have_value("")
