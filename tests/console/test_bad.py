"""Errors as a person sees them."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import expect

MARKUP = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"


def sign_in(page, key):
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def test_a_wrong_key_is_said_to_be_one(page):
    sign_in(page, "sbk_wrong")
    expect(page.get_by_role("alert")).to_contain_text("unknown")


def test_a_key_lives_as_long_as_a_tab_is_open(signed_in, switchboard):
    signed_in.reload()
    expect(signed_in.get_by_role("heading", name="Overview")).to_be_visible()
    assert signed_in.evaluate("localStorage.length") == 0
    assert switchboard.key not in signed_in.url
    context = signed_in.context
    other = context.new_page()
    other.goto(f"{switchboard.url}/console#/hooks")
    expect(other.get_by_role("heading", name="Hooks")).to_be_visible()
    signed_in.close()
    other.close()
    last = context.new_page()
    last.goto(f"{switchboard.url}/console")
    expect(last.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_sign_out_ends_the_session_in_each_tab(signed_in, switchboard):
    other = signed_in.context.new_page()
    other.goto(f"{switchboard.url}/console")
    other.get_by_role("button", name="Sign out").click()
    expect(signed_in.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_key_stays_where_that_is_asked(page, switchboard):
    page.get_by_label("Stay signed in").check()
    sign_in(page, switchboard.key)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    other = page.context.new_page()
    other.goto(f"{switchboard.url}/console")
    expect(other.get_by_role("heading", name="Overview")).to_be_visible()
    other.get_by_role("button", name="Sign out").click()
    assert other.evaluate("localStorage.length") == 0


def test_a_key_that_is_revoked_leads_back_to_the_sign_in(page, switchboard):
    key = switchboard.call("POST", "/v1/keys", {"name": "Short", "scope": "read"})
    sign_in(page, key["key"])
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    switchboard.call("DELETE", f"/v1/keys/{key['id']}")
    # Not by a click: a poll of the overview may end the session first.
    page.evaluate("location.hash = '#/hooks'")
    expect(page.get_by_text("The key is no longer valid.")).to_be_visible()


def test_a_key_is_offered_what_it_may_do(page, switchboard, hook, area, tab):
    key = switchboard.call("POST", "/v1/keys", {"name": "Reader", "scope": "read"})["key"]
    sign_in(page, key)
    expect(page.get_by_text("Reader · read")).to_be_visible()
    area(page, "Hooks")
    expect(page.get_by_role("link", name="Create a hook")).to_have_count(0)
    expect(page.get_by_text("To create hooks, sign in with a key of scope admin. Yours has read.")).to_be_visible()
    page.get_by_role("table").get_by_role("link", name="<img").first.click()
    expect(page.get_by_text("The URL is a secret")).to_be_visible()
    expect(page.get_by_role("button", name="Send a sample")).to_have_count(0)
    tab(page, "Settings")
    expect(page.get_by_role("tabpanel")).to_contain_text("To change it, sign in with a key of scope admin.")
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)


def test_a_server_that_is_gone_is_said_to_be_and_can_come_back(signed_in, switchboard, area):
    area(signed_in, "Events")
    port = switchboard.url.rsplit(":", 1)[1]
    switchboard.stop()
    expect(signed_in.get_by_role("alert")).to_contain_text("can't be reached")
    switchboard.start(port)
    expect(signed_in.get_by_role("alert")).to_have_count(0)


def test_a_slow_answer_is_announced(signed_in):
    def slowly(route):
        signed_in.wait_for_timeout(6_000)
        route.continue_()

    signed_in.route("**/v1/modules", slowly)
    signed_in.get_by_role("link", name="Modules").click()
    expect(signed_in.get_by_text("Still loading")).to_be_visible(timeout=10_000)
    expect(signed_in.get_by_role("heading", name="BotStar")).to_be_visible()


@pytest.fixture
def hook(switchboard):
    connection = switchboard.connection("botstar", MARKUP)
    return switchboard.hook("botstar.watch-checkpoint-record", MARKUP, connection)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("events/evt_0", "no such event"),
        ("hooks/hook_0", "no such hook"),
        ("routes/rt_0", "no such route"),
        ("subscribers/sub_0", "no such subscriber"),
        ("connections/con_0", "no such connection"),
        ("modules/nothing", "No such module"),
        ("nothing", "Nothing here"),
        ("%E0%A4%A", "Nothing here"),
    ],
)
def test_what_is_not_there_is_said_not_to_be(signed_in, switchboard, place, says):
    signed_in.goto(f"{switchboard.url}/console#/{place}")
    expect(signed_in.get_by_text(says)).to_be_visible()


def test_a_button_that_is_pressed_twice_does_it_once(signed_in, switchboard):
    signed_in.goto(f"{switchboard.url}/console#/connections?new=botstar")
    signed_in.get_by_label("Name").fill("Once")
    signed_in.get_by_role("button", name="Create the connection").dblclick()
    expect(signed_in.get_by_role("table").get_by_role("link", name="Once")).to_be_visible()
    assert len(switchboard.call("GET", "/v1/connections")["items"]) == 1


def test_a_name_that_is_too_long_is_refused_at_its_field(signed_in, switchboard):
    signed_in.goto(f"{switchboard.url}/console#/connections?new=botstar")
    signed_in.get_by_label("Name").fill("x" * 200_000)
    signed_in.get_by_role("button", name="Create the connection").click()
    expect(signed_in.get_by_text("longer than 200 characters")).to_have_count(1)
    expect(signed_in.get_by_label("Name")).to_be_focused()


def test_names_with_markup_are_only_text(signed_in, hook, post, area):
    area(signed_in, "Events")
    body = {"user": {"id": MARKUP, "name": MARKUP}, "checkpoint": {"name": MARKUP}, "record": {"fields": {MARKUP: MARKUP}}}
    post(hook["url"], json.dumps(body))
    expect(signed_in.get_by_role("table").get_by_text(MARKUP).first).to_be_visible()
    for place in ["Hooks", "Connections", "Subscribers", "Records"]:
        area(signed_in, place)
        expect(signed_in.get_by_role("table").get_by_text(MARKUP).first).to_be_visible()
    area(signed_in, "Hooks")
    signed_in.get_by_role("table").get_by_role("link", name=MARKUP).first.click()
    expect(signed_in.get_by_role("heading", name=MARKUP)).to_be_visible()
    assert signed_in.title() != "taken"


def test_a_body_of_256_kb_is_shown_bit_by_bit(signed_in, hook, post, area):
    area(signed_in, "Events")
    fields = {f"field {number}": "x" * 100 for number in range(2_000)}
    post(hook["url"], json.dumps({"user": {"id": "u-1"}, "checkpoint": {"name": "Big"}, "record": {"fields": fields}}))
    signed_in.get_by_role("table").get_by_role("link").first.click()
    expect(signed_in.get_by_role("button", name="Show more of 2000").first).to_be_attached()


def test_ten_thousand_events_come_page_by_page(signed_in, hook, post, area):
    post(hook["url"], json.dumps({"user": {"id": "first"}, "checkpoint": {"name": "Many"}}))
    with ThreadPoolExecutor(8) as pool:
        bodies = (json.dumps({"user": {"id": f"u-{number}"}, "checkpoint": {"name": "Many"}}) for number in range(10_000))
        assert len(list(pool.map(lambda body: post(hook["url"], body), bodies))) == 10_000
    area(signed_in, "Events")
    rows = signed_in.get_by_role("table").locator("tbody tr")
    expect(rows).to_have_count(30)
    signed_in.get_by_role("button", name="Load more").click()
    expect(rows).to_have_count(60)
    signed_in.get_by_label("Type", exact=True).select_option("botstar.tag.added")
    expect(signed_in.get_by_text("No event matches these filters.")).to_be_visible(timeout=60_000)
