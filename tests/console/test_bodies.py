"""Bodies as they were received: which pages fetch them, how they are shown, copied, downloaded and sent back."""

import gzip
import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

NUMBERS = ["123456789012345678901", "0.1000000000000000055", "1.0", "-0", "1e400"]
DIGITS = f'{{"user": {{"id": "u-1"}},\r\n "numbers": [{", ".join(NUMBERS)}]}}'.encode()
# Exact in the API, and not in JavaScript.
BEYOND_DOUBLES = 9_007_199_254_740_993
ORDER = b'{"user": {"id": "u-1", "name": "Ava Chen"}, "checkpoint": {"name": "Order"}, "record": {"fields": {"Product": "Latte"}}}'
STUB = "too large to show"
LISTS = ["connections", "hooks", "routes", "deliveries", "subscribers", "checkpoint-records", "takeovers", "events", "keys"]
# Of the text of a body, shown at first.
CUT_FROM = 10_000
MAX_ELEMENTS = 5_000
FROZEN_MS = 2_000
SCREEN = {"width": 1280, "height": 860}
PHONE = {"width": 360, "height": 740}
# The longest time that the page has not taken clicks or keys.
OBSERVE = """window.longest = 0; new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
}).observe({ type: "longtask" })"""


@pytest.fixture
def hook(switchboard):
    return switchboard.hook("botstar.watch-checkpoint-record", "Orders", switchboard.connection("botstar", "Coffee bot"))


@pytest.fixture
def send(signed_in, hook):
    """Posts a body to the hook. Returns the event's id; None if the call was rejected."""

    def send(body, content_type="application/json", **headers):
        answer = signed_in.request.post(hook["url"], data=body, headers={"content-type": content_type, **headers})
        return answer.json().get("event")

    return send


@pytest.fixture
def opened(signed_in, switchboard, send):
    """The page of an event that has this body."""

    def opened(body, content_type="application/json"):
        event = send(body, content_type)
        signed_in.goto(f"{switchboard.url}/console#/events/{event}")
        expect(signed_in.get_by_role("button", name="Download body")).to_be_visible()
        return event

    return opened


@pytest.fixture
def answers(signed_in):
    """Every answer of the API since then: path, query, body."""
    seen = []

    def note(response):
        url = urlsplit(response.url)
        if url.path.startswith("/v1/"):
            seen.append((url.path, parse_qs(url.query), response))

    signed_in.on("response", note)
    return seen


def numbers(page):
    return page.locator("code.number").all_inner_texts()


def copied(page):
    page.get_by_role("button", name="Copy body").click()
    expect(page.get_by_text("Copied", exact=True)).to_be_visible()
    return page.evaluate("navigator.clipboard.readText()").encode()


def downloaded(page):
    with page.expect_download() as download:
        page.get_by_role("button", name="Download body").click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_every_digit_of_a_body_is_shown_copied_and_downloaded(signed_in, opened):
    event = opened(DIGITS)
    assert numbers(signed_in) == NUMBERS
    assert copied(signed_in) == DIGITS
    assert downloaded(signed_in) == (f"{event}.json", DIGITS)
    signed_in.get_by_role("button", name="As received").click()
    expect(signed_in.locator("pre")).to_contain_text(f"[{', '.join(NUMBERS)}]")


def test_a_form_is_a_tree_of_its_fields_and_the_text_that_came(signed_in, opened):
    form = b"user_id=u-1&note=caf%C3%A9+%26+more"
    event = opened(form, "application/x-www-form-urlencoded")
    expect(signed_in.get_by_text('"café & more"').last).to_be_visible()
    signed_in.get_by_role("button", name="As received").click()
    expect(signed_in.locator("pre")).to_have_text(form.decode())
    assert copied(signed_in) == form
    assert downloaded(signed_in) == (f"{event}.txt", form)


def test_a_body_that_came_packed_is_shown_unpacked(signed_in, switchboard, send):
    event = send(gzip.compress(DIGITS), **{"content-encoding": "gzip"})
    signed_in.goto(f"{switchboard.url}/console#/events/{event}")
    signed_in.get_by_role("button", name="As received").click()
    expect(signed_in.get_by_text("content encoding gzip")).to_be_visible()
    assert copied(signed_in) == DIGITS


def patches(page):
    """Bodies of the PATCH requests since then."""
    sent = []
    page.on("request", lambda request: sent.append(request.post_data) if request.method == "PATCH" else None)
    return sent


def test_every_digit_of_a_reply_is_edited_and_kept_by_a_mapping(signed_in, switchboard, hook, send, tab):
    page, path = signed_in, f"/v1/hooks/{hook['id']}"
    switchboard.call("PATCH", path, {"settings": {"reply": {"id": BEYOND_DOUBLES, "price": 1.0}}})
    send(b'{"contact": {"uid": 123456789012345678901}}')
    sent = patches(page)
    page.goto(f"{switchboard.url}/console#/hooks/{hook['id']}?tab=mapping")
    expect(page.locator("code.number")).to_have_text("123456789012345678901")
    page.get_by_label("Field", exact=True).select_option("subscriber.id")
    page.get_by_role("button", name="Choose /contact/uid").click()
    page.get_by_role("button", name="Save the mapping").click()
    expect(page.get_by_text("Saved and applied")).to_be_visible()
    assert f'"reply":{{"id":{BEYOND_DOUBLES},"price":1.0}}' in sent[-1]
    assert switchboard.call("GET", path)["settings"]["reply"]["id"] == BEYOND_DOUBLES

    tab(page, "Settings")
    expect(page.get_by_label("Reply")).to_have_value(f'{{\n  "id": {BEYOND_DOUBLES},\n  "price": 1.0\n}}')
    page.get_by_label("Reply").fill(f"[{', '.join(NUMBERS)}]")
    # The API need not take each of them.
    page.route(f"**{path}", lambda route: route.fulfill(json={"id": hook["id"]}) if route.request.method == "PATCH" else route.continue_())
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved. It takes effect")).to_be_visible()
    assert f'"reply":[{",".join(NUMBERS)}]' in sent[-1]
    assert '"mapping":{"subscriber.id":"/contact/uid"}' in sent[-1]


def test_every_digit_of_an_action_s_input_is_sent(signed_in, switchboard, chatbot):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/modules/chatbot.call-api")
    page.get_by_label("Connection").select_option(label="Helpdesk")
    page.get_by_label("Path").fill("users")
    page.get_by_label("Method").select_option("POST")
    page.get_by_label("Body").fill(f"[{', '.join(NUMBERS)}]")
    written = f'"body":[{",".join(NUMBERS)}]'
    expect(page.locator("pre")).to_contain_text(written)
    with page.expect_request("**/v1/actions/**") as request:
        page.get_by_role("button", name="Run").click()
    assert written in request.value.post_data


def test_a_number_is_typed_as_json_has_it(signed_in, switchboard, chatbot):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/modules/chatbot.search-users")
    for typed in ["Infinity", "0x10", "ten"]:
        page.get_by_label("Limit").fill(typed)
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_text("must be a number")).to_be_visible()


def test_no_list_fetches_a_body(signed_in, switchboard, hook, send, answers, area, tab):
    page, marker = signed_in, "a-body-of-nobodys-business"
    send(ORDER[:-1] + f', "note": "{marker}"}}'.encode())
    assert send(f'{{"note": "{marker}"'.encode()) is None
    subscriber = next(iter(switchboard.call("GET", "/v1/events")["items"]))["subject"]
    for name in ["Overview", "Events", "Deliveries", "Routes", "Takeovers"]:
        area(page, name)
        expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
        page.wait_for_load_state("networkidle")
    page.goto(f"{switchboard.url}/console#/subscribers/{subscriber}")
    expect(page.get_by_role("table", name="The person's events")).to_contain_text("Checkpoint Record")
    page.goto(f"{switchboard.url}/console#/hooks/{hook['id']}?tab=rejected")
    expect(page.get_by_role("table", name="Rejected calls")).to_contain_text("unreadable_body")
    tab(page, "Field mapping")
    expect(page.get_by_role("button", name="Choose /note")).to_be_visible()
    lists = [one for one in answers if one[0] == "/v1/events" or one[0].endswith("/rejected")]
    assert len(lists) >= 5
    assert [path for path, query, _ in lists if query.get("view") != ["summary"]] == []
    # The mapping shows the newest body, and nothing else does.
    with_body = [path for path, _, answer in answers if marker in answer.text() and "subscribers" not in path]
    assert len(with_body) == 1 and re.fullmatch("/v1/events/[^/]+", with_body[0])


def test_the_page_of_an_event_fetches_its_body_once(signed_in, answers, opened):
    event = opened(ORDER)
    # The page polls the deliveries.
    with signed_in.expect_request("**/v1/deliveries*", timeout=15_000):
        pass
    with_body = [path for path, _, answer in answers if path.startswith(f"/v1/events/{event}")]
    assert with_body == [f"/v1/events/{event}"]
    copied(signed_in), downloaded(signed_in)
    assert [path for path, _, _ in answers if path.endswith("/raw")] == [f"/v1/events/{event}/raw"]


def test_an_item_that_is_too_large_is_a_row(signed_in, switchboard, area):
    page = signed_in

    def truncated(route):
        route.fulfill(json={"items": [{"id": "x_large", "truncated": True}], "next": None})

    for name in LISTS:
        page.route(re.compile(rf"/v1/{name}(\?|$)"), truncated)
    for name in ["Events", "Deliveries", "Hooks", "Connections", "Routes", "Subscribers", "Records", "Takeovers", "Keys"]:
        area(page, name)
        row = page.get_by_role("table").get_by_role("row").filter(has_text="x_large")
        expect(row).to_contain_text(STUB)
    area(page, "Overview")
    expect(page.get_by_role("link", name="1 delivery is a dead letter", exact=True)).to_be_visible()
    page.goto(f"{switchboard.url}/console#/routes/new")
    page.get_by_label("New Checkpoint Record").check()
    expect(page.get_by_label("With the event").get_by_role("option", name="x_large")).to_be_attached()


def test_the_page_of_an_item_that_is_too_large_says_so(signed_in, switchboard, hook, send):
    page, event = signed_in, send(DIGITS)
    ones = [f"events/{event}", f"hooks/{hook['id']}", "connections/con_large", "routes/rt_large", "subscribers/sub_large"]

    def truncated(route):
        route.fulfill(json={"id": urlsplit(route.request.url).path.split("/")[-1], "truncated": True})

    for one in ones:
        page.route(f"**/v1/{one}", truncated)
    for one in ones:
        page.goto(f"{switchboard.url}/console#/{one}")
        expect(page.get_by_role("heading", name=one.split("/")[1])).to_be_visible()
        expect(page.get_by_text(STUB)).to_be_visible()
    expect(page.get_by_role("button", name="Erase the person")).to_be_visible()
    page.goto(f"{switchboard.url}/console#/events/{event}")
    expect(page.get_by_role("button", name="Download body")).to_be_visible()
    assert numbers(page) == NUMBERS


def test_an_event_over_1_mb_is_shown_cut_and_its_body_whole(signed_in, send, area, tab):
    form = b"user_id=u-1&note=" + b"\x01" * 250_000
    event = send(form, "application/x-www-form-urlencoded")
    area(signed_in, "Events")
    signed_in.get_by_role("table").locator("tbody").get_by_role("link").first.click()
    tab(signed_in, "Envelope")
    expect(signed_in.get_by_text("The event is over 1 MB")).to_be_visible()
    tab(signed_in, "Body")
    expect(signed_in.get_by_role("button", name=re.compile("Show all 250"))).to_be_visible()
    assert downloaded(signed_in) == (f"{event}.txt", form)


BINARY = bytes(range(256)) * 16
UNREADABLE = b'{"price": 1.0,'


def test_a_rejected_body_is_fetched_when_it_is_opened(signed_in, switchboard, hook, send, answers):
    page = signed_in
    assert (send(BINARY), send(UNREADABLE), send(b"x" * 300_000)) == (None, None, None)
    page.goto(f"{switchboard.url}/console#/hooks/{hook['id']}?tab=rejected")
    rows = page.get_by_role("table", name="Rejected calls").locator("tbody tr")
    expect(rows).to_have_count(3)
    raw = lambda: [path for path, _, _ in answers if path.endswith("/raw")]  # noqa: E731
    assert raw() == []
    rows.filter(has_text=str(len(BINARY))).get_by_role("button").click()
    expect(page.get_by_text(f"{len(BINARY)} bytes that are not text")).to_be_visible()
    name, content = downloaded(page)
    assert (re.fullmatch(r"\w+\.bin", name) is not None, content) == (True, BINARY)
    assert len(raw()) == 1
    page.reload()
    rows.filter(has_text=f"{len(UNREADABLE)} bytes").get_by_role("button").click()
    expect(page.locator("pre")).to_have_text(UNREADABLE.decode())
    assert copied(page) == UNREADABLE
    page.get_by_role("button", name="Close", exact=True).click()
    rows.filter(has_text="body_too_large").get_by_role("button").click()
    expect(page.get_by_text("No body is stored.")).to_be_visible()


@pytest.mark.parametrize(
    "body",
    [
        {"text": "x" * 250_000},
        {f"field {number}": number for number in range(10_000)},
        [[[[number] * 30] * 30] * 30 for number in range(2)],
        json.loads("[" * 60 + "1" + "]" * 60),
        {"k" * 100_000: {str(number): number for number in range(1_000)}},
        {"record": {"fields": {f"field {number}": "x" for number in range(10_000)}}, "checkpoint": {"name": "Order"}},
    ],
    ids=["a long text", "10,000 keys", "many lists in lists", "60 levels", "a long key", "10,000 fields"],
)
def test_a_large_body_does_not_freeze_a_page(signed_in, switchboard, hook, send, body):
    page = signed_in
    content = json.dumps({"user": {"id": "u-1"}, "large": body} if "record" not in body else body).encode()
    event = send(content)
    page.evaluate(OBSERVE)
    for place in [f"events/{event}", f"hooks/{hook['id']}", "events", "records"]:
        page.goto(f"{switchboard.url}/console#/{place}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert page.locator("main *").count() < MAX_ELEMENTS, place
        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], place
        page.set_viewport_size(SCREEN)
    page.goto(f"{switchboard.url}/console#/events/{event}")
    page.get_by_role("button", name="As received").click()
    expect(page.locator("pre")).to_be_visible()
    if len(content) > CUT_FROM:
        page.get_by_role("button", name=f"Show all {len(content)} characters").click()
    expect(page.locator("pre")).to_have_text(content.decode())
    assert copied(page) == content
    assert page.evaluate("longest") < FROZEN_MS


def test_a_tree_shows_more_when_it_is_asked_to(signed_in, opened):
    opened(json.dumps({"large": {f"field {number}": "x" for number in range(250)}, "text": "y" * 2_000}).encode())
    page = signed_in
    expect(page.get_by_text("field 99", exact=True)).to_be_visible()
    expect(page.get_by_text("field 100", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Show more of 250").click()
    expect(page.get_by_text("field 199", exact=True)).to_be_visible()
    page.get_by_role("button", name="Show all 2002 characters").click()
    expect(page.get_by_text(f'"{"y" * 2_000}"')).to_be_visible()


def test_a_record_s_field_may_be_named_as_a_column(signed_in, send, area):
    send(b'{"user": {"id": "u-1"}, "checkpoint": {"name": "Order"}, "record": {"fields": {"Time": 1.0, "Event": "x"}}}')
    area(signed_in, "Records")
    expect(signed_in.get_by_role("table", name="Checkpoint records")).to_contain_text("1.0")


def test_a_key_may_have_the_scope_operate(signed_in, switchboard, area):
    area(signed_in, "Keys")
    signed_in.get_by_role("button", name="Create a key").click()
    expect(signed_in.get_by_text("also tests routes without sending")).to_be_visible()
    signed_in.get_by_label("Name").fill("Support")
    signed_in.get_by_label("Scope").select_option("operate")
    signed_in.get_by_role("button", name="Create the key").click()
    expect(signed_in.get_by_role("table").get_by_role("row").filter(has_text="Support")).to_contain_text("operate")
