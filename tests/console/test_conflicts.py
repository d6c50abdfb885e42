"""Messages of the console for a change that conflicts with another."""

import json

from playwright.sync_api import expect


def test_a_hook_that_routes_use_shows_them_and_can_be_deleted_all_the_same(signed_in, switchboard, listener, act):
    page = signed_in
    hook = switchboard.hook("botstar.watch-tag", "Tags", switchboard.connection("botstar", "Coffee bot"))
    new = {"events": ["*"], "hook": hook["id"], "target": {"type": "webhook", "url": f"{listener.url}/in"}}
    routes = [switchboard.call("POST", "/v1/routes", {**new, "name": name}) for name in ("Shop", "<b>Till</b>")]
    switchboard.call("POST", "/v1/routes", {**new, "name": "Other", "hook": None})
    page.goto(f"{switchboard.url}/console#/hooks/{hook['id']}?tab=settings")
    act(page, "Delete Tags")
    expect(page.get_by_text("These routes use the hook:")).to_be_visible()
    for name in ("Shop", "<b>Till</b>"):
        expect(page.get_by_role("tabpanel").get_by_role("link", name=name)).to_be_visible()
    expect(page.get_by_role("tabpanel").get_by_role("link", name="Other")).to_have_count(0)
    assert switchboard.call("GET", f"/v1/hooks/{hook['id']}")["enabled"]
    act(page, "Delete the hook and disable them")
    expect(page.get_by_role("heading", name="Hooks", exact=True)).to_be_visible()
    expect(page.get_by_text("No hook yet")).to_be_visible()
    assert [switchboard.call("GET", f"/v1/routes/{route['id']}")["enabled"] for route in routes] == [False, False]


def test_a_takeover_that_another_was_faster_to_claim_says_by_whom(signed_in, switchboard, post):
    page = signed_in
    hook = switchboard.hook("botstar.watch-human-takeover", "Help", switchboard.connection("botstar", "Coffee bot"))
    post(hook["url"], json.dumps({"user": {"id": "u-1"}, "reason": "Where is my coffee?"}))
    key = switchboard.call("POST", "/v1/keys", {"name": "Ben <Sales>", "scope": "operate"})["key"]
    page.goto(f"{switchboard.url}/console#/takeovers")
    page.get_by_label("State", exact=True).select_option("")
    expect(page.get_by_role("button", name="Claim")).to_be_visible()
    takeover = switchboard.first("/v1/takeovers")["id"]

    def claim_first(route):
        switchboard.call("PATCH", f"/v1/takeovers/{takeover}", {"state": "claimed"}, key)
        route.continue_()

    page.route(f"**/v1/takeovers/{takeover}", claim_first, times=1)
    page.get_by_role("button", name="Claim").click()
    expect(page.get_by_text("Ben <Sales> claimed it first.")).to_be_visible()
    expect(page.get_by_role("table")).to_contain_text("by Ben <Sales>")
    page.get_by_role("button", name="Release").click()
    page.get_by_role("button", name="Claim").click()
    expect(page.get_by_role("table")).to_contain_text("by the first key")
    page.get_by_role("button", name="Close u-1").click()
    expect(page.get_by_role("button", name="Reopen")).to_be_visible()
    expect(page.get_by_role("table")).not_to_contain_text("by the first key")


def test_the_last_admin_key_and_a_sixth_url_are_refused_with_the_reason(signed_in, switchboard, act):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/keys")
    act(page, "Revoke the first key")
    expect(page.get_by_role("status").filter(has_text="create another first")).to_be_visible()
    hook = switchboard.hook("botstar.watch-tag", "Tags", switchboard.connection("botstar", "Coffee bot"))
    for _ in range(4):
        switchboard.call("POST", f"/v1/hooks/{hook['id']}/rotate", {})
    page.goto(f"{switchboard.url}/console#/hooks/{hook['id']}?tab=settings")
    act(page, "Rotate the URL")
    expect(page.get_by_role("status").filter(has_text="rotate again at")).to_be_visible()
