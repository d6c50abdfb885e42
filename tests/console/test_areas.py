"""The purpose of each area of the console, carried out."""

import json
import re

from playwright.sync_api import expect

ORDER = {"user": {"id": "u-1", "name": "Ava Chen", "tags": ["vip"]}, "checkpoint": {"name": "Order"}, "record": {"fields": {"Product": "Latte"}}}


def test_an_action_is_run_and_its_call_can_be_copied(signed_in, switchboard, chatbot):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/modules/chatbot.create-user")
    expect(page.get_by_text("The same on the command line")).to_be_visible()
    page.get_by_label("Connection").select_option(label="Helpdesk")
    page.get_by_label("User id").fill("ava-1")
    page.get_by_label(re.compile("^Email")).fill("ava@example.com")
    page.get_by_role("button", name="Run").click()
    output = page.get_by_role("region", name="Output")
    expect(output).to_contain_text("ava-1")
    page.get_by_role("button", name="Copy command").click()
    command = page.evaluate("navigator.clipboard.readText()")
    assert f"{switchboard.url}/v1/actions/chatbot/create-user" in command and "ava@example.com" in command
    assert switchboard.key not in command


def test_the_faults_of_an_action_are_shown(signed_in, switchboard, chatbot):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/modules/chatbot.get-user")
    page.get_by_label("Connection").select_option(label="Helpdesk")
    page.get_by_label("User id").fill("nobody")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("alert")).to_be_visible()


def test_a_connection_is_tested_renamed_given_new_credentials_and_deleted(signed_in, chatbot, area, act):
    page = signed_in
    area(page, "Connections")
    page.get_by_role("button", name="Test Helpdesk").click()
    expect(page.get_by_role("status").filter(has_text="token")).to_be_visible()
    page.get_by_role("link", name="Helpdesk").click()
    page.get_by_label("Name").fill("Support")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", name="Support")).to_be_visible()
    page.get_by_label("Access token").fill(" ")
    page.get_by_role("button", name="Replace").click()
    expect(page.get_by_label("Access token")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Access token").fill("another-token-0123456789-wrong")
    page.get_by_role("button", name="Replace").click()
    expect(page.get_by_text("The new credentials are sealed.")).to_be_visible()
    expect(page.get_by_text("••••rong")).to_be_visible()
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_role("status").filter(has_text="token")).to_be_visible()
    act(page, "Delete Support")
    expect(page.get_by_role("heading", name="Connections")).to_be_visible()
    expect(page.get_by_text("No connection yet")).to_be_visible()


def test_a_hook_is_set_rotated_and_deleted_and_shows_what_it_rejected(signed_in, switchboard, area, act, tab):
    page = signed_in
    hook = switchboard.hook("botstar.watch-checkpoint-record", "Orders", switchboard.connection("botstar", "Coffee bot"))
    area(page, "Hooks")
    page.get_by_role("link", name="Orders").click()
    tab(page, "Settings")
    page.get_by_label("Ignore repeats within (seconds)").fill("-1")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_label("Ignore repeats within (seconds)")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Ignore repeats within (seconds)").fill("60")
    page.get_by_label("Name").fill("All orders")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", name="All orders")).to_be_visible()
    assert switchboard.call("GET", f"/v1/hooks/{hook['id']}")["settings"]["dedupe_seconds"] == 60
    page.get_by_role("button", name="Send a sample").click()
    expect(page.get_by_text("A sample was sent and accepted.")).to_be_visible()
    act(page, "Rotate the URL")
    expect(page.get_by_text("The previous URL is valid until")).to_be_visible()
    rejected = page.request.post(hook["url"], data=b"{")
    assert rejected.status == 400
    tab(page, "Rejected calls")
    expect(page.get_by_role("table", name="Rejected calls")).to_contain_text("unreadable_body")
    tab(page, "Settings")
    act(page, "Delete All orders")
    expect(page.get_by_text("No hook yet")).to_be_visible()


def test_a_hook_that_registers_itself_says_how_it_stands(signed_in, switchboard, chatbot, act, tab):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/modules/chatbot.watch-message")
    page.get_by_label("Name").fill("Messages")
    page.get_by_label("Connection").select_option(label="Helpdesk")
    page.get_by_role("button", name="Create the hook").click()
    expect(page.get_by_role("heading", name="Messages", exact=True)).to_be_visible()
    expect(page.get_by_text("The platform has the URL.")).to_be_visible()
    tab(page, "Settings")
    act(page, "Delete Messages")
    expect(page.get_by_text("No hook yet")).to_be_visible()


def test_a_route_to_an_action_is_built_changed_and_carries_an_event(signed_in, switchboard, chatbot, post, area, tab):
    page = signed_in
    hook = switchboard.hook("botstar.watch-checkpoint-record", "Orders", switchboard.connection("botstar", "Coffee bot"))
    page.goto(f"{switchboard.url}/console#/routes/new")
    page.get_by_role("textbox", name="Name").fill("Into ChatBot")
    page.get_by_label("Or types").fill("botstar.*")
    page.get_by_label("Hook", exact=True).select_option(label="Orders")
    page.get_by_label("An action").check()
    page.get_by_role("combobox", name="Action", exact=True).select_option("chatbot.create-user")
    page.get_by_label("With the connection").select_option(label="Helpdesk")
    page.get_by_label("Custom user id", exact=True).click()
    page.get_by_role("button", name="Choose /data/subscriber/platform_id").click()
    expect(page.get_by_label("Custom user id", exact=True)).to_have_text("data.subscriber.platform_id")
    page.get_by_label("Email", exact=True).fill("data.subscriber.platform_id + '@example.com")
    expect(page.get_by_label("Email", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("status").filter(has_text="The event passes.")).to_be_visible()
    page.get_by_label("Email", exact=True).fill("data.subscriber.platform_id + '@example.com'")
    expect(page.get_by_text('"u-1@example.com"')).to_be_visible()
    page.get_by_role("button", name="Create the route").click()
    expect(page.get_by_role("heading", name="Into ChatBot")).to_be_visible()

    page.get_by_role("button", name="Change").click()
    page.get_by_label("Filter").fill("data.record.fields.Product == 'Latte'")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    tab(page, "Target")
    expect(page.get_by_role("definition").filter(has_text="'Latte'")).to_be_visible()
    tab(page, "Deliveries")
    post(hook["url"], json.dumps(ORDER))
    rows = page.get_by_role("table", name="Deliveries").locator("tbody tr")
    expect(rows.filter(has_text="succeeded")).to_have_count(1)
    area(page, "Deliveries")
    page.get_by_label("State", exact=True).select_option("succeeded")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Ava Chen")
    page.get_by_label("State", exact=True).select_option("dead")
    expect(page.get_by_text("No delivery matches these filters.")).to_be_visible()


def test_an_attempt_that_sent_nothing_is_no_lack_of_an_answer(signed_in, switchboard, listener, post):
    page = signed_in
    hook = switchboard.hook("botstar.watch-checkpoint-record", "Orders", switchboard.connection("botstar", "Coffee bot"))
    target = {"type": "webhook", "url": f"{listener.url}/a", "body": {"text": "data.nobody.name"}}
    route = switchboard.call("POST", "/v1/routes", {"name": "Spoilt", "events": ["botstar.*"], "target": target})
    page.goto(f"{switchboard.url}/console#/routes/{route['id']}")
    post(hook["url"], json.dumps(ORDER))
    row = page.get_by_role("table", name="Deliveries").locator("tbody tr").filter(has_text="unmappable")
    expect(row).to_contain_text("not sent")
    row.get_by_role("link").first.click()
    attempts = page.get_by_role("list", name="Attempts")
    expect(attempts).to_contain_text("nothing was sent: `text`")
    expect(attempts).not_to_contain_text("no answer")


def test_a_route_says_since_when_it_fails_and_when_and_why_it_is_disabled(signed_in, switchboard, listener):
    page = signed_in
    new = {"name": "Failing", "events": ["botstar.*"], "target": {"type": "webhook", "url": f"{listener.url}/a"}}
    path = f"/v1/routes/{switchboard.call('POST', '/v1/routes', new)['id']}"
    stored = switchboard.call("GET", path)
    page.get_by_label("Time zone").select_option("UTC")
    failing = {"state": "failing", "since": "2026-01-02T03:04:05.000Z", "disables_at": "2026-01-07T03:04:05.000Z"}
    over = failing | {"disables_at": None}
    for shown, says in [
        ({"health": failing}, ["failing since", "2026-01-07 03:04:05.000 UTC", "unless one succeeds"]),
        ({"enabled": False, "disabled_reason": "failing", "health": over}, ["disabled after failing since", "every attempt failed for days"]),
        ({"enabled": False, "disabled_reason": "target_gone"}, ["the target refused further events"]),
        ({"enabled": False, "health": over}, ["disabled after failing since"]),
    ]:
        answer = stored | shown
        page.route(f"**{path}", lambda route, _, answer=answer: route.fulfill(json=answer))
        page.goto(f"{switchboard.url}/console#{path.removeprefix('/v1')}")
        page.reload()
        for words in says:
            expect(page.get_by_role("main")).to_contain_text(words)
        page.unroute(f"**{path}")


def test_a_route_whose_headers_are_sealed_keeps_them_unless_its_target_changes(signed_in, switchboard, listener, act, tab):
    page = signed_in
    target = {"type": "webhook", "url": f"{listener.url}/a", "headers": {"x-key": "s3cret"}}
    route = switchboard.call("POST", "/v1/routes", {"name": "Keyed", "events": ["botstar.*"], "target": target})
    page.goto(f"{switchboard.url}/console#/routes/{route['id']}")
    page.get_by_role("button", name="Change").click()
    page.get_by_role("textbox", name="Name", exact=True).fill("Renamed")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", name="Renamed")).to_be_visible()
    assert switchboard.call("GET", f"/v1/routes/{route['id']}")["target"]["headers"] == {"x-key": "••••"}
    page.get_by_role("button", name="Change").click()
    page.get_by_label("URL").fill(f"{listener.url}/b")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Headers: a value is required")).to_be_visible()
    page.get_by_label("Value of header 1").fill("again")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("tab", name="Deliveries")).to_have_attribute("aria-selected", "true")
    tab(page, "Target")
    expect(page.get_by_text(f"{listener.url}/b")).to_be_visible()
    tab(page, "Builder and test")
    act(page, "Send it to the saved target")
    expect(page.get_by_text("The target answered 204.")).to_be_visible()
    assert listener.at("/b")[0].headers["x-key"] == "again"


def test_an_answer_does_not_move_a_reader_who_has_gone_on(signed_in, switchboard, listener, act, tab):
    page = signed_in
    target = {"type": "webhook", "url": f"{listener.url}/a"}
    path = f"/v1/routes/{switchboard.call('POST', '/v1/routes', {'name': 'Slow', 'events': ['botstar.*'], 'target': target})['id']}"
    held = []
    page.route(f"**{path}", lambda route: route.continue_() if route.request.method == "GET" else held.append(route))
    page.goto(f"{switchboard.url}/console#{path.removeprefix('/v1')}")
    page.get_by_role("button", name="Change").click()
    page.get_by_role("textbox", name="Name", exact=True).fill("Renamed")
    with page.expect_request(lambda request: request.method == "PATCH"):
        page.get_by_role("button", name="Save", exact=True).click()
    tab(page, "Target")
    held.pop().continue_()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_role("tab", name="Target")).to_have_attribute("aria-selected", "true")

    with page.expect_request(lambda request: request.method == "DELETE"):
        act(page, "Delete Renamed")
    page.get_by_role("link", name="Events", exact=True).click()
    held.pop().continue_()
    expect(page.get_by_text("Renamed is deleted.")).to_be_visible()
    expect(page).to_have_url(f"{switchboard.url}/console#/events")


def test_the_builder_of_routes_shows_faults_and_drops_outdated_answers(signed_in, switchboard, chatbot):
    page = signed_in
    verdict = page.get_by_role("status")
    page.goto(f"{switchboard.url}/console#/routes/new")
    page.get_by_label("New Checkpoint Record").check()
    expect(verdict.filter(has_text="The event passes.")).to_be_visible()
    page.get_by_label("Filter").fill("data.record ==")
    expect(page.get_by_text("1:15: something is missing")).to_be_visible()
    expect(verdict.filter(has_text="Correct the marked fields")).to_be_visible()
    expect(verdict.filter(has_text="The event passes.")).to_have_count(0)
    page.get_by_label("Filter").fill("")
    page.get_by_label("New Checkpoint Record").uncheck()
    page.get_by_label("Or types").fill("switchboard.*")
    expect(verdict.filter(has_text="no trigger has events")).to_be_visible()

    page.get_by_label("Custom fields").check()
    for _ in range(2):
        page.get_by_role("button", name="Add field").click()
        page.get_by_label("Name of field").last.fill("who")
    page.get_by_role("button", name="Create the route").click()
    expect(page.get_by_text("names must not be repeated")).to_be_visible()

    page.get_by_label("Or types").fill("botstar.*")
    page.get_by_label("An action").check()
    page.get_by_role("combobox", name="Action", exact=True).select_option("chatbot.create-user")
    page.get_by_label("With the connection").select_option(label="Helpdesk")
    page.get_by_label("Email", exact=True).fill("data.subscriber.email")
    page.get_by_role("combobox", name="Action", exact=True).select_option("chatbot.get-user")
    page.get_by_label("User id", exact=True).fill("data.subscriber.platform_id")
    expect(page.get_by_role("heading", name="Request")).to_be_visible()
    page.get_by_role("combobox", name="Action", exact=True).select_option("botmother.send-event")
    expect(page.get_by_label("With the connection")).to_have_value("")


def test_a_hook_s_settings_and_its_mapping_leave_each_other_alone(signed_in, switchboard, post, tab):
    page = signed_in
    hook = switchboard.hook("botstar.watch-checkpoint-record", "Orders", switchboard.connection("botstar", "Coffee bot"))
    path = f"/v1/hooks/{hook['id']}"
    switchboard.call("PATCH", path, {"settings": {"reply": "123"}})
    post(hook["url"], json.dumps({"contact": {"uid": "u-1"}}))
    page.goto(f"{switchboard.url}/console#/hooks/{hook['id']}?tab=mapping")
    page.get_by_label("Field", exact=True).select_option("subscriber.id")
    page.get_by_role("button", name="Choose /contact/uid").click()
    page.get_by_role("button", name="Save the mapping").click()
    expect(page.get_by_text("Saved and applied to the stored events.")).to_be_visible()
    tab(page, "Settings")
    page.get_by_label("Ignore repeats within (seconds)").fill("60")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved. It takes effect within a minute.")).to_be_visible()
    tab(page, "Field mapping")
    page.get_by_role("button", name="Clear subscriber.id").click()
    with page.expect_response("**/remap*"):
        page.get_by_role("button", name="Save the mapping").click()
    settings = switchboard.call("GET", path)["settings"]
    assert (settings["mapping"], settings["dedupe_seconds"], settings["reply"]) == ({}, 60, "123")


def test_what_takes_several_calls_is_done_to_its_end(signed_in, switchboard, post, area, act):
    page = signed_in
    hook = switchboard.hook("botstar.watch-checkpoint-record", "Orders", switchboard.connection("botstar", "Coffee bot"))
    post(hook["url"], json.dumps(ORDER))
    page.goto(f"{switchboard.url}/console#/hooks/{hook['id']}?tab=mapping")
    answers = [{"read": 100, "changed": 1, "next": "on"}, {"read": 20, "changed": 2, "next": None}]
    page.route("**/remap*", lambda route: route.fulfill(json=answers.pop(0)))
    page.get_by_role("button", name="Save the mapping").click()
    expect(page.get_by_text("Changed: 3.")).to_be_visible()
    assert answers == []

    unfinished = [{"status": 503, "code": "unfinished", "detail": "the person is partly erased; repeat the call"}]

    def erase(route):
        if route.request.method == "DELETE" and unfinished:
            route.fulfill(status=503, json=unfinished.pop())
        else:
            route.continue_()

    page.route("**/v1/subscribers/*", erase)
    area(page, "Subscribers")
    page.get_by_role("link", name="Ava Chen").click()
    act(page, "Erase the person")
    expect(page.get_by_text("No person yet")).to_be_visible()
    assert unfinished == []


def test_people_records_and_takeovers_are_shown_claimed_and_erased(signed_in, switchboard, post, area, act):
    page = signed_in
    connection = switchboard.connection("botstar", "Coffee bot")
    orders = switchboard.hook("botstar.watch-checkpoint-record", "Orders", connection)
    help_wanted = switchboard.hook("botstar.watch-human-takeover", "Help", connection)
    post(orders["url"], json.dumps(ORDER))
    post(help_wanted["url"], json.dumps({"user": {"id": "u-1"}, "reason": "Where is my coffee?"}))
    area(page, "Records")
    expect(page.get_by_role("table", name="Checkpoint records")).to_contain_text("Latte")
    area(page, "Overview")
    page.get_by_role("link", name="1 person asks for a human", exact=True).click()
    page.get_by_role("button", name="Claim").click()
    expect(page.get_by_text("It is claimed.")).to_be_visible()
    page.get_by_label("State", exact=True).select_option("claimed")
    page.get_by_role("button", name="Close Ava Chen").click()
    expect(page.get_by_text("It is closed.")).to_be_visible()
    area(page, "Subscribers")
    page.get_by_role("link", name="Ava Chen").click()
    history = page.get_by_role("table", name="The person's events")
    expect(history.get_by_role("row")).to_have_count(3)
    expect(history).to_contain_text("Request for Human Takeover")
    expect(page.get_by_text("vip", exact=True).first).to_be_visible()
    act(page, "Erase the person")
    expect(page.get_by_text("No person yet")).to_be_visible()


def test_an_event_is_filtered_opened_and_replayed(signed_in, switchboard, listener, post, area, act, tab):
    page = signed_in
    hook = switchboard.hook("botstar.watch-checkpoint-record", "Orders", switchboard.connection("botstar", "Coffee bot"))
    target = {"type": "webhook", "url": f"{listener.url}/shop"}
    switchboard.call("POST", "/v1/routes", {"name": "Shop", "events": ["botstar.*"], "target": target})
    area(page, "Events")
    expect(page.get_by_text("No event yet")).to_be_visible()
    post(hook["url"], json.dumps(ORDER))
    events = page.get_by_role("table", name="Events, newest first")
    expect(events).to_contain_text("Ava Chen")
    page.get_by_label("Type", exact=True).select_option("chatbot.message.received")
    expect(page.get_by_text("No event matches these filters.")).to_be_visible()
    page.get_by_label("Type", exact=True).select_option("botstar.checkpoint_record.created")
    events.get_by_role("link", name="Checkpoint Record").click()
    panel = page.get_by_role("complementary", name="Event")
    expect(panel.get_by_role("link", name="Checkpoint record")).to_be_visible()
    tab(page, "Deliveries")
    deliveries = panel.get_by_role("table", name="Deliveries")
    expect(deliveries).to_contain_text("204")
    act(page, "Replay")
    expect(page.get_by_text("Deliveries created: 1.")).to_be_visible()
    expect(deliveries.locator("tbody tr").filter(has_text="succeeded")).to_have_count(2)


def test_a_key_is_made_shown_once_and_revoked(signed_in, switchboard, area, act):
    page = signed_in
    area(page, "Keys")
    page.get_by_role("button", name="Create a key").click()
    page.get_by_label("Name").fill("Reporting")
    page.get_by_label("Scope").select_option("read")
    page.get_by_role("button", name="Create the key").click()
    page.get_by_role("button", name="Copy key").click()
    key = page.evaluate("navigator.clipboard.readText()")
    assert key.startswith("sbk_")
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text(key)).to_have_count(0)
    page.reload()
    expect(page.get_by_role("table")).to_contain_text("Reporting")
    expect(page.get_by_text(key)).to_have_count(0)
    act(page, "Revoke Reporting")
    expect(page.get_by_role("table")).not_to_contain_text("Reporting")


def test_what_is_counted_is_a_chart_and_a_table(signed_in, switchboard, post, area):
    page = signed_in
    hook = switchboard.hook("botstar.watch-checkpoint-record", "Orders", switchboard.connection("botstar", "Coffee bot"))
    for _ in range(2):
        post(hook["url"], json.dumps(ORDER))
    assert page.request.post(hook["url"], data=b"{").status == 400
    page.wait_for_timeout(1_500)
    page.reload()
    webhooks = page.get_by_role("figure").filter(has_text="Webhooks")
    expect(webhooks).to_contain_text("Accepted: 1, Duplicate: 1, Ignored: 0, Rejected: 1")
    expect(webhooks.locator("canvas")).to_be_visible()
    page.get_by_role("link", name="1 call of a webhook was rejected in the last day", exact=True).click()
    expect(page.get_by_role("table", name="Rejected calls")).to_contain_text("unreadable_body")
    page.go_back()
    webhooks.get_by_text("As a table").click()
    expect(webhooks.get_by_role("table", name="Webhooks, calls").locator("tbody tr")).to_have_count(1)
    for name in ["Last hour", "Last week", "Last month"]:
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("button", name=name)).to_have_attribute("aria-pressed", "true")
        expect(webhooks).to_contain_text("Accepted: 1")
