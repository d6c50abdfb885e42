"""Whether those can use it who see, hear or move in other ways: axe's rules, a phone's screen, keys alone."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

AXE = (Path(__file__).parents[2] / "functions/console/web/node_modules/axe-core/axe.min.js").read_text()
AREAS = ["Overview", "Events", "Modules", "Connections", "Hooks", "Routes", "Deliveries", "Subscribers", "Records", "Takeovers", "Keys"]


def faults(page):
    page.evaluate(AXE)
    found = page.evaluate("axe.run()")["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found if one["impact"] in ("serious", "critical")]


def test_the_sign_in_has_no_serious_fault(page):
    assert faults(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_area_has_a_serious_fault(signed_in, scheme):
    signed_in.emulate_media(color_scheme=scheme)
    for area in AREAS:
        signed_in.get_by_role("navigation").get_by_role("link", name=area).click()
        expect(signed_in.get_by_role("heading", name=area, level=1)).to_be_visible()
        signed_in.wait_for_load_state("networkidle")
        assert faults(signed_in) == [], area


def test_a_dialog_has_no_serious_fault(signed_in, switchboard):
    signed_in.goto(f"{switchboard.url}/console#/modules/chatbot.search-users")
    signed_in.get_by_role("button", name="Run").click()
    expect(signed_in.get_by_text("is required")).to_be_visible()
    expect(signed_in.get_by_label("Connection")).to_be_focused()
    assert faults(signed_in) == []


def test_the_builder_of_routes_has_no_serious_fault(signed_in, switchboard):
    signed_in.goto(f"{switchboard.url}/console#/routes/new")
    signed_in.get_by_label("New Checkpoint Record").check()
    signed_in.get_by_label("Fields of my own").check()
    signed_in.get_by_role("button", name="Add field").click()
    signed_in.get_by_label("Filter").fill("data.")
    expect(signed_in.get_by_label("Filter")).to_have_attribute("aria-invalid", "true")
    assert faults(signed_in) == []
    signed_in.get_by_label("An action").check()
    signed_in.get_by_role("combobox", name="Action", exact=True).select_option("chatbot.ban-user")
    assert faults(signed_in) == []


def test_nothing_is_wider_than_a_phone(signed_in, switchboard):
    signed_in.set_viewport_size({"width": 360, "height": 740})
    for area in AREAS:
        signed_in.get_by_role("navigation").get_by_role("link", name=area).click()
        signed_in.wait_for_load_state("networkidle")
        assert signed_in.evaluate("document.documentElement.scrollWidth") <= 360, area
    signed_in.goto(f"{switchboard.url}/console#/routes/new")
    signed_in.get_by_label("New Checkpoint Record").check()
    expect(signed_in.get_by_role("heading", name="The event", exact=True)).to_be_visible()
    assert signed_in.evaluate("document.documentElement.scrollWidth") <= 360


def test_keys_alone_lead_from_the_door_to_a_module(page, switchboard):
    page.keyboard.press("Tab")
    page.keyboard.type(switchboard.key)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    for _ in range(5):
        page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Modules")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Modules")).to_be_visible()
    expect(page.locator("main")).to_be_focused()
