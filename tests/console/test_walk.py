"""The way of a new user, from the sign-in to a dead letter that is retried."""

import itertools
import json

from playwright.sync_api import expect

BODY = {
    "contact": {"uid": "u-1", "label": "Ava Chen"},
    "checkpoint": {"name": "Coffee Order"},
    "record": {"fields": {"Product": "Latte"}},
}
# In the picture.
FAILING_MINUTE = 9
REPEATED_EACH = 7


def test_from_the_sign_in_to_a_dead_letter_that_is_retried(
    signed_in, switchboard, listener, post, area, tab, shot, some_minutes
):
    page = signed_in
    steps = page.get_by_role("region", name="First steps")
    expect(steps.get_by_role("link", name="Create a connection")).to_have_attribute("aria-current", "step")

    steps.get_by_role("link", name="Create a hook").click()
    page.get_by_role("link", name="Watch New Checkpoint Record").click()
    page.get_by_role("button", name="New connection to BotStar").click()
    dialog = page.get_by_role("dialog", name="New connection to BotStar")
    dialog.get_by_label("Name").fill("Coffee bot")
    dialog.get_by_role("button", name="Create the connection").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_text("Coffee bot is saved.")).to_be_visible()
    page.get_by_label("Name").fill("Orders")
    page.get_by_role("button", name="Create the hook").click()
    expect(page.get_by_role("heading", name="Orders")).to_be_visible()
    page.get_by_role("button", name="Copy URL").click()
    url = page.evaluate("navigator.clipboard.readText()")
    assert url.startswith(f"{switchboard.url}/hooks/botstar/checkpoint-record/")

    post(url, json.dumps(BODY))
    events = page.get_by_role("table", name="Events of this hook")
    expect(events.get_by_role("row")).to_have_count(2)
    expect(events).to_contain_text("Checkpoint Record")

    tab(page, "Field mapping")
    page.get_by_label("Field", exact=True).select_option("subscriber.id")
    page.get_by_role("button", name="Choose /contact/uid").click()
    page.get_by_label("Field", exact=True).select_option("subscriber.name")
    page.get_by_role("button", name="Choose /contact/label").click()
    shot(page, "hook")
    page.get_by_role("button", name="Save the mapping").click()
    expect(page.get_by_text("Saved and applied to the stored events.")).to_be_visible()
    tab(page, "Events")
    expect(events).to_contain_text("Ava Chen")

    area(page, "Routes")
    page.get_by_role("link", name="Create a route").first.click()
    page.get_by_role("textbox", name="Name").fill("To the shop")
    page.get_by_label("New Checkpoint Record").check()
    page.get_by_label("With the event").select_option(index=1)
    verdict = page.get_by_role("status")
    expect(verdict.filter(has_text="The event passes.")).to_be_visible()
    page.get_by_label("Filter").click()
    page.get_by_role("button", name="Choose /data/record/fields/Product").click()
    expect(page.get_by_label("Filter")).to_have_text("data.record.fields.Product")
    page.keyboard.type(' == "Tea"')
    expect(verdict.filter(has_text="The event doesn't pass.")).to_be_visible()
    page.get_by_label("Filter").fill('data.record.fields.Product == "Latte"')
    expect(verdict.filter(has_text="The event passes.")).to_be_visible()
    page.get_by_label("URL").fill(f"{listener.url}/shop")
    shot(page, "builder")
    page.get_by_role("button", name="Create the route", exact=True).click()
    expect(page.get_by_role("heading", name="To the shop")).to_be_visible()

    deliveries = page.get_by_role("table", name="Deliveries").locator("tbody tr")
    post(url, json.dumps(BODY | {"order": 2}))
    expect(deliveries.filter(has_text="succeeded")).to_have_count(1)
    assert len(listener.at("/shop")) == 1
    area(page, "Overview")
    expect(steps).to_have_count(0)

    listener.statuses["/shop"] = 500
    post(url, json.dumps(BODY | {"order": 3}))
    area(page, "Deliveries")
    dead = deliveries.filter(has_text="dead: attempts used up")
    expect(dead).to_have_count(1, timeout=30_000)
    area(page, "Overview")
    page.get_by_role("link", name="1 delivery is a dead letter", exact=True).click()
    expect(dead).to_contain_text("Ava Chen")
    dead.get_by_role("link").first.click()
    panel = page.get_by_role("complementary", name="Delivery")
    expect(panel.get_by_role("list", name="Attempts").get_by_role("listitem")).to_have_count(3)
    tab(page, "Request as of now")
    expect(panel.get_by_text(f"POST {listener.url}/shop")).to_be_visible()
    shot(page, "deliveries")
    page.reload()
    expect(panel.get_by_role("list", name="Attempts").get_by_role("listitem")).to_have_count(3)
    area(page, "Overview")
    page.get_by_role("button", name="Last hour").click()
    expect(page.get_by_role("figure").filter(has_text="Deliveries")).to_contain_text("Delivered: 1, Failed: 3, Dead: 1")

    page.get_by_role("link", name="1 delivery is a dead letter", exact=True).click()
    listener.statuses["/shop"] = 204
    page.get_by_role("button", name="Retry all dead").click()
    dialog = page.get_by_role("dialog", name="Retry all dead?")
    expect(dialog.get_by_text("This retries 1 delivery.")).to_be_visible()
    dialog.get_by_role("button", name="Retry", exact=True).click()
    expect(page.get_by_text("Retries queued: 1.")).to_be_visible()
    expect(dialog).to_have_count(0)
    expect(page.get_by_text("No delivery matches these filters.")).to_be_visible()
    page.get_by_role("button", name="Clear the filters").click()
    expect(deliveries.filter(has_text="succeeded")).to_have_count(2)

    # Metrics are written once a second.
    page.wait_for_timeout(1_500)
    area(page, "Overview")
    expect(page.get_by_role("figure").filter(has_text="Webhooks")).to_contain_text("Accepted: 3")
    expect(page.get_by_role("figure").filter(has_text="Deliveries")).to_contain_text("Delivered: 2, Failed: 3, Dead: 1")

    orders = itertools.count(4)

    def order(minute):
        listener.statuses["/shop"] = 500 if minute == FAILING_MINUTE else 204
        number = next(orders)
        for _ in range(1 + (number % REPEATED_EACH == 0)):
            post(url, json.dumps(BODY | {"order": number}))

    some_minutes(order)
    page.get_by_role("button", name="Last 15 minutes").click()
    expect(page.get_by_role("figure").filter(has_text="Webhooks")).to_contain_text("Accepted: ")
    shot(page, "overview")
