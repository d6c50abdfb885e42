"""Lists while events arrive: rows that are read stay, new ones are announced, and polls cost little."""

import itertools
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

BURST = 30
MAX_ROWS = 400
LARGE = 190_000
WIDE = {"width": 1440, "height": 960}


@pytest.fixture
def hook(switchboard):
    return switchboard.hook("botstar.watch-checkpoint-record", "Orders", switchboard.connection("botstar", "Coffee bot"))


@pytest.fixture
def order(hook, post):
    """Posts an order of a person."""

    def order(number, **more):
        body = {"user": {"id": f"u-{number}", "name": f"Person {number}"}, "checkpoint": {"name": "Order"}, **more}
        post(hook["url"], json.dumps(body))

    return order


def rows(page):
    return page.get_by_role("table", name="Events, newest first").locator("tbody tr")


def test_a_burst_does_not_push_away_the_row_that_is_read(signed_in, area, order):
    page = signed_in
    order(0)
    area(page, "Events")
    expect(rows(page)).to_have_count(1)
    for number in range(1, BURST + 1):
        order(number)
    show = page.get_by_role("button", name=re.compile(r"Show \d+ (or more )?new"))
    expect(page.get_by_role("button", name=f"Show {BURST} or more new")).to_be_visible(timeout=15_000)
    assert rows(page).count() < BURST
    expect(rows(page).last).to_contain_text("Person 0")
    show.click()
    expect(rows(page)).to_have_count(BURST + 1)
    expect(rows(page).first).to_contain_text(f"Person {BURST}")


def test_a_single_event_appears_by_itself_unless_a_row_is_open(signed_in, area, order):
    page = signed_in
    page.set_viewport_size(WIDE)
    order(0)
    area(page, "Events")
    order(1)
    expect(rows(page)).to_have_count(2)
    rows(page).first.get_by_role("link").first.click()
    expect(page.get_by_role("complementary", name="Event")).to_be_visible()
    order(2)
    expect(page.get_by_role("button", name="Show 1 new")).to_be_visible()
    expect(rows(page)).to_have_count(2)


def test_polls_of_large_events_cost_little(signed_in, switchboard, area, order):
    for number in range(20):
        order(number, record={"fields": {"text": "x" * LARGE}})
    received = []
    signed_in.on("requestfinished", lambda request: received.append(request.sizes()["responseBodySize"]))
    area(signed_in, "Events")
    expect(rows(signed_in)).to_have_count(20)
    first = sum(received)
    signed_in.wait_for_timeout(10_000)
    assert sum(received) - first < LARGE / 4


def test_an_hour_of_events_does_not_make_the_page_grow(signed_in, hook, area):
    page, start, count = signed_in, datetime(2026, 1, 1, tzinfo=UTC), itertools.count(1)

    def event(number):
        time = (start + timedelta(seconds=number)).isoformat()
        data = {"hook": hook["id"], "subscriber": {"name": f"Person {number}"}, "unmapped": []}
        return {"id": f"evt_{number}", "type": "botstar.tag.added", "source": "/", "time": time, "data": data}

    def newest(route):
        last, is_poll = next(count) * 4, "after=" in route.request.url
        first = last - 3 if is_poll else max(last - 29, 1)
        items = [event(number) for number in range(last, first - 1, -1)]
        route.fulfill(json={"items": items, "next": None if is_poll else "x"})

    page.route(re.compile(r"/v1/events\?"), newest)
    page.clock.install()
    area(page, "Events")
    rows_shown = page.get_by_role("table", name="Events, newest first").locator("tbody tr")
    expect(rows_shown.first).to_be_visible()
    most = 0
    for _ in range(150):
        page.clock.run_for(2_500)
        most = max(most, rows_shown.count())
    assert next(count) > 100
    assert 100 < most <= MAX_ROWS


def test_the_arrow_keys_walk_the_rows_and_the_panel(signed_in, area, order):
    page = signed_in
    page.set_viewport_size(WIDE)
    for number in range(3):
        order(number)
    area(page, "Events")
    panel = page.get_by_role("complementary", name="Event")
    rows(page).first.get_by_role("link").first.focus()
    page.keyboard.press("Enter")
    expect(panel).to_contain_text("Person 2")
    page.keyboard.press("ArrowDown")
    expect(panel).to_contain_text("Person 1")
    page.keyboard.press("ArrowDown")
    expect(panel).to_contain_text("Person 0")
    page.keyboard.press("ArrowUp")
    expect(panel).to_contain_text("Person 1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Checkpoint Record", level=1)).to_be_visible()
    page.go_back()
    expect(panel).to_contain_text("Person 1")
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)


def test_a_long_name_leaves_each_row_its_link(signed_in, area, order, hook, post):
    page = signed_in
    post(hook["url"], json.dumps({"user": {"id": "u" * 200, "name": "N" * 200}, "checkpoint": {"name": "C" * 400}}))
    for name in ["Events", "Subscribers", "Records"]:
        area(page, name)
        link = page.get_by_role("table").locator("tbody a").first
        expect(link).to_be_visible()
        box = link.bounding_box()
        assert box["x"] + 20 < page.viewport_size["width"], name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


def test_filters_stay_in_the_address(signed_in, switchboard, area, order):
    page = signed_in
    page.set_viewport_size(WIDE)
    order(1)
    area(page, "Events")
    page.get_by_label("Type", exact=True).select_option("botstar.checkpoint_record.created")
    page.get_by_label("Time", exact=True).select_option("24h")
    rows(page).first.get_by_role("link").first.click()
    page.reload()
    expect(page.get_by_label("Type", exact=True)).to_have_value("botstar.checkpoint_record.created")
    expect(page.get_by_label("Time", exact=True)).to_have_value("24h")
    expect(page.get_by_role("complementary", name="Event")).to_be_visible()
    page.get_by_role("link", name="Open as a page").click()
    expect(page.get_by_role("heading", name="Checkpoint Record", level=1)).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Time", exact=True)).to_have_value("24h")


def test_a_time_range_is_one_of_the_chosen_zone(signed_in, area, order):
    page = signed_in
    order(1)
    area(page, "Events")
    page.get_by_label("Time zone").select_option("UTC")
    page.get_by_label("Time", exact=True).select_option("range")
    with page.expect_request(re.compile("after=2026-01-02T03%3A04%3A05")):
        page.get_by_label("After (UTC)").fill("2026-01-02T03:04:05")
        page.get_by_label("After (UTC)").press("Tab")


def test_an_outcome_outlives_its_row_and_the_focus_stays_on_the_page(signed_in, switchboard, area, act):
    page = signed_in
    switchboard.call("POST", "/v1/keys", {"name": "Reporting", "scope": "read"})
    area(page, "Keys")
    act(page, "Revoke Reporting")
    expect(page.get_by_text("Reporting is revoked.")).to_be_visible()
    expect(page.get_by_role("table")).not_to_contain_text("Reporting")
    assert page.evaluate("document.activeElement.id") == "main"


def test_one_odd_answer_does_not_end_the_polls(signed_in, area, order):
    page = signed_in
    order(0)
    area(page, "Events")
    expect(rows(page)).to_have_count(1)
    page.route(re.compile(r"/v1/events\?"), lambda route: route.fulfill(json={"items": None}), times=1)
    expect(page.get_by_role("alert")).to_contain_text("The answer is not from Switchboard.")
    order(1)
    expect(rows(page)).to_have_count(2)
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("width", [1440, 1280, 1024])
def test_the_state_of_a_delivery_is_read_at_each_width(signed_in, switchboard, listener, area, order, width):
    page = signed_in
    page.set_viewport_size(WIDE | {"width": width})
    target = {"type": "webhook", "url": f"{listener.url}/shop"}
    switchboard.call("POST", "/v1/routes", {"name": "A route of a long name", "events": ["*"], "target": target})
    order(1)
    area(page, "Deliveries")
    state = page.get_by_role("table", name="Deliveries").locator("tbody td").nth(1)
    for _ in range(2):
        expect(state.get_by_role("link")).to_contain_text("succeeded")
        assert state.evaluate("cell => cell.scrollWidth <= cell.clientWidth")
        state.get_by_role("link").click()
        expect(page.get_by_role("complementary", name="Delivery")).to_be_visible()
    page.get_by_role("button", name="Close the panel").click()
    expect(state.get_by_role("link")).to_be_focused()


def test_a_fault_of_a_page_is_shown_as_one(signed_in, area):
    page = signed_in
    broken = {"items": [{"id": "hook_0", "trigger": None, "name": None, "enabled": True}], "next": None}
    page.route(re.compile(r"/v1/hooks(\?|$)"), lambda route: route.fulfill(json=broken))
    area(page, "Hooks")
    expect(page.get_by_role("alert")).to_contain_text("This page can't be shown.")
    page.unroute_all()
    page.get_by_role("link", name="To the overview").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_rejected_calls_appear_without_a_reload(signed_in, switchboard, hook):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/hooks/{hook['id']}?tab=rejected")
    expect(page.get_by_text("None: each call of this hook was accepted.")).to_be_visible()
    assert page.request.post(hook["url"], data=b"{").status == 400
    expect(page.get_by_role("table", name="Rejected calls")).to_contain_text("unreadable_body")


def test_the_mapping_keeps_its_body_when_an_event_arrives(signed_in, switchboard, hook, order, post):
    page = signed_in
    order(1, first=True)
    page.goto(f"{switchboard.url}/console#/hooks/{hook['id']}?tab=mapping")
    expect(page.get_by_role("button", name="Choose /first")).to_be_visible()
    order(2, second=True)
    expect(page.get_by_label("Body of").get_by_role("option")).to_have_count(2, timeout=15_000)
    expect(page.get_by_role("button", name="Choose /first")).to_be_visible()
    expect(page.get_by_role("button", name="Choose /second")).to_have_count(0)
    offered = page.get_by_label("Field", exact=True).get_by_role("option").all_inner_texts()
    assert {"subscriber.id", "subscriber.picture", "checkpoint.name", "record.fields"} <= set(offered)
