"""Figures in the lists of hooks and routes, rejected calls, the builder's form, and rows on a phone."""

import json
import re

import pytest
from playwright.sync_api import expect

PHONE = {"width": 360, "height": 800}
LOW = {"width": 1280, "height": 500}


@pytest.fixture
def hook(switchboard):
    return switchboard.hook("botstar.watch-checkpoint-record", "Orders", switchboard.connection("botstar", "Coffee bot"))


@pytest.fixture
def quiet_hook(switchboard, hook):
    return switchboard.hook("botstar.watch-tag", "Tags", hook["connection"])


@pytest.fixture
def route(switchboard, listener):
    target = {"type": "webhook", "url": f"{listener.url}/shop"}
    return switchboard.call("POST", "/v1/routes", {"name": "To the shop", "events": ["botstar.checkpoint_record.*"], "target": target})


def order(number):
    return json.dumps({"user": {"id": f"u-{number}"}, "checkpoint": {"name": "Order"}})


def test_a_route_in_the_list_shows_the_share_of_its_last_deliveries_that_succeeded(
    signed_in, switchboard, listener, hook, route, post, area
):
    page = signed_in
    for number, status in enumerate([204, 500]):
        listener.statuses["/shop"] = status
        post(hook["url"], order(number))
        while len(listener.at("/shop")) <= number:
            page.wait_for_timeout(50)
    area(page, "Routes")
    row = page.get_by_role("row").filter(has_text="To the shop")
    expect(row).to_contain_text("50%")
    expect(row.get_by_role("img", name="To the shop: of 2 deliveries 50% succeeded")).to_be_visible()


def test_a_hook_in_the_list_shows_its_last_event_and_the_routes_that_it_feeds(
    signed_in, hook, quiet_hook, route, post, area
):
    page = signed_in
    post(hook["url"], order(1))
    area(page, "Hooks")
    row = page.get_by_role("row").filter(has_text="Orders")
    expect(row).to_contain_text("1 route")
    expect(row.locator("time").first).to_have_text(re.compile("now|ago"))
    quiet = page.get_by_role("row").filter(has_text="Tags")
    expect(quiet).to_contain_text("no route")
    expect(quiet).to_contain_text("none yet")


def test_rejected_calls_are_shown_for_the_hooks_that_have_some_and_found_by_id(signed_in, switchboard, hook, quiet_hook):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/rejected")
    expect(page.get_by_role("heading", name="No call was rejected")).to_be_visible()
    assert page.request.post(hook["url"], data=b"{").status == 400
    page.reload()
    expect(page.get_by_role("link", name="Orders")).to_be_visible()
    expect(page.get_by_role("link", name="Tags")).to_have_count(0)
    call = switchboard.call("GET", f"/v1/hooks/{hook['id']}/rejected")["items"][0]
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search").fill(call["id"])
    expect(page.get_by_role("option", name="Rejected call")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("tab", name="Rejected calls 1")).to_have_attribute("aria-selected", "true")


def test_a_fault_inside_an_object_stands_at_its_field(signed_in, switchboard):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/routes/new")
    page.get_by_label("New Checkpoint Record").check()
    page.get_by_label("URL").fill("https://example.com/")
    page.get_by_label("Custom fields").check()
    page.get_by_role("button", name="Add field", exact=True).click()
    page.get_by_label("Name of field 1").fill("user")
    page.get_by_role("button", name="Make user an object").click()
    for number, (name, value) in enumerate([("id", "data.subscriber.id"), ("sum", "1 +"), ("name", "data.subscriber.name")], 1):
        if number > 1:
            page.get_by_role("button", name="Add field to user").click()
        page.get_by_label(f"Name of field user.{number}").fill(name)
        page.get_by_label(f"Value of field user.{name}", exact=True).fill(value)
    expect(page.get_by_text("1:4: something is missing before this")).to_be_visible()
    expect(page.get_by_label("Value of field user.sum", exact=True)).to_have_attribute("aria-invalid", "true")
    for name in ["id", "name"]:
        expect(page.get_by_label(f"Value of field user.{name}", exact=True)).to_have_attribute("aria-invalid", "false")


def test_the_bar_with_the_save_button_stays_in_view_and_hides_no_focused_field(signed_in, switchboard):
    page = signed_in
    page.set_viewport_size(LOW)
    page.goto(f"{switchboard.url}/console#/routes/new")
    save = page.get_by_role("button", name="Create the route")
    expect(save).to_be_in_viewport()
    top = save.bounding_box()["y"]
    page.get_by_label("Hook", exact=True).focus()
    for _ in range(5):
        page.keyboard.press("Tab")
        box = page.evaluate("(({bottom}) => bottom)(document.activeElement.getBoundingClientRect())")
        assert box <= top or page.evaluate("document.activeElement.textContent").startswith("Create")


def test_values_of_a_row_have_their_column_s_title_on_a_phone(signed_in, hook, post, area):
    page = signed_in
    page.set_viewport_size(PHONE)
    post(hook["url"], order(1))
    area(page, "Events")
    row = page.get_by_role("table").locator("tbody tr").first
    expect(row).to_be_visible()
    labels = row.locator("td").evaluate_all(
        """cells => cells.map((cell) => getComputedStyle(cell, "::before"))
            .filter(({ content, display }) => content !== "none" && display !== "none").map(({ content }) => content)"""
    )
    assert labels == ['"Person"', '"Hook"', '"Id"', '"Received"']


def test_a_field_without_a_name_is_a_fault_at_its_place(signed_in, switchboard):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/routes/new")
    page.get_by_role("textbox", name="Name").fill("Nameless")
    page.get_by_label("New Checkpoint Record").check()
    page.get_by_label("URL").fill("https://example.com/")
    page.get_by_label("Custom fields").check()
    page.get_by_role("button", name="Add field", exact=True).click()
    page.keyboard.type("user")
    page.get_by_role("button", name="Make user an object").click()
    page.get_by_role("button", name="Create the route", exact=True).click()
    name = page.get_by_label("Name of field user.1")
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(name).to_be_focused()
    expect(page.get_by_text("a name is missing")).to_have_count(1)
    assert switchboard.call("GET", "/v1/routes")["items"] == []


def test_a_name_of_the_event_goes_to_the_field_that_is_being_added(signed_in, switchboard):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/routes/new")
    page.get_by_label("New Checkpoint Record").check()
    page.get_by_role("button", name="Choose /data/subscriber/name").click()
    expect(page.get_by_text("Click into an expression of the route first: the path is put there.")).to_be_visible()
    page.get_by_label("Custom fields").check()
    page.get_by_role("button", name="Add field", exact=True).click()
    page.keyboard.type("who")
    expect(page.get_by_text("to put its path into Value of field 1.")).to_be_visible()
    page.get_by_role("button", name="Choose /data/subscriber/name").click()
    expect(page.get_by_label("Value of field who", exact=True)).to_have_text("data.subscriber.name")


def test_a_delivery_that_could_not_be_mapped_leads_to_its_field_in_the_builder(
    signed_in, switchboard, chatbot, hook, post
):
    page = signed_in
    target = {"type": "action", "action": "chatbot.get-user", "connection": chatbot, "input": {"user_id": "data.record.fields.Id"}}
    switchboard.call("POST", "/v1/routes", {"name": "Look up", "events": ["botstar.*"], "target": target})
    post(hook["url"], order(1))
    page.goto(f"{switchboard.url}/console#/deliveries?state=dead")
    page.get_by_role("table").get_by_role("link", name="dead: unmappable").click()
    page.get_by_role("link", name="Fix the mapping").click()
    expect(page.get_by_text("Nothing would be sent:")).to_be_visible()
    expect(page.get_by_label("User id", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("for this event:")).to_be_visible()


def test_the_end_of_a_retry_is_shown(signed_in, switchboard, listener, hook, route, post):
    page = signed_in
    listener.statuses["/shop"] = 500
    post(hook["url"], order(1))
    page.goto(f"{switchboard.url}/console#/deliveries?state=dead")
    page.get_by_role("table").get_by_role("link", name="dead").click(timeout=20_000)
    listener.statuses["/shop"] = 204
    page.get_by_role("button", name="Retry", exact=True).click()
    expect(page.get_by_text("Delivered: 204.")).to_be_visible()


def test_a_place_may_be_chosen_before_its_field(signed_in, switchboard, hook, post, tab):
    page = signed_in
    post(hook["url"], order(1))
    page.goto(f"{switchboard.url}/console#/hooks/{hook['id']}?tab=mapping")
    page.get_by_role("button", name="Choose /checkpoint/name").click()
    page.get_by_label("Field", exact=True).select_option("subscriber.name")
    expect(page.get_by_role("list", name="Mapping")).to_contain_text("subscriber.name is at /checkpoint/name")


def test_the_shape_of_a_body_is_copied_without_its_content(signed_in, switchboard, hook, post):
    page = signed_in
    post(hook["url"], json.dumps({"user": {"id": "u-17", "name": "Ava Chen"}, "environment": "test"}))
    event = switchboard.call("GET", "/v1/events")["items"][0]
    page.goto(f"{switchboard.url}/console#/events/{event['id']}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("test")
    page.get_by_role("button", name="Copy shape").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    shape = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert shape["environment"] == "test" and set(shape["user"]) == {"id", "name"}
    assert "Ava" not in json.dumps(shape) and "17" not in json.dumps(shape)


def test_a_route_to_an_aws_service_has_a_group_only_for_fifo_and_its_fault_at_the_arn(signed_in, switchboard):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/routes/new")
    page.get_by_role("textbox", name="Name").fill("Into the queue")
    page.get_by_label("New Checkpoint Record").check()
    page.get_by_label("An AWS service").check()
    arn = page.get_by_label("ARN")
    arn.fill("arn:aws:sqs:eu-central-1:123456789012:orders.fifo")
    expect(page.get_by_label("Message group", exact=True)).to_be_visible()
    page.get_by_role("button", name="Create the route", exact=True).click()
    expect(page.get_by_text("is required")).to_have_count(1)
    arn.fill("arn:aws:sqs:eu-central-1:123456789012:orders")
    expect(page.get_by_label("Message group", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Create the route", exact=True).click()
    expect(arn).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("add it to the parameter AwsTargets").first).to_be_visible()
