"""The tools of the console: search, bulk operations, the inspector, the builder, files."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import expect

WIDE = {"width": 1440, "height": 960}
QUOTED = "it's $HOME `id` \\ \"x\""
BEYOND_DOUBLES = 9_007_199_254_740_993


@pytest.fixture
def hook(switchboard):
    return switchboard.hook("botstar.watch-checkpoint-record", "Orders", switchboard.connection("botstar", "Coffee bot"))


@pytest.fixture
def route(switchboard, listener):
    target = {"type": "webhook", "url": f"{listener.url}/shop", "headers": {"x-key": "s3cret"}}
    return switchboard.call("POST", "/v1/routes", {"name": "To the shop", "events": ["botstar.*"], "target": target})


def send(post, hook, person, **more):
    body = {"user": {"id": f"u-{person}", "name": f"Person {person}"}, "checkpoint": {"name": "Order"}, **more}
    post(hook["url"], json.dumps(body))


def copied(page, what):
    page.get_by_role("button", name=f"Copy {what}").click()
    expect(page.get_by_text("Copied", exact=True)).to_be_visible()
    return page.evaluate("navigator.clipboard.readText()")


def saved(page, button):
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    return download.value.suggested_filename, Path(download.value.path()).read_text()


def test_a_search_finds_ids_people_and_pages(signed_in, switchboard, hook, route, post):
    page = signed_in
    send(post, hook, 7)
    event = switchboard.call("GET", "/v1/events?limit=1")["items"][0]
    search = page.get_by_role("combobox", name="Search")
    for typed, kind, heading in [
        (event["id"], "Event", "Checkpoint Record"),
        ("u-7", "Person · BotStar", "Person 7"),
        ("shop", "Route", "To the shop"),
        ("orders", "Hook", "Orders"),
        ("create a user", "Module", "Create a User"),
    ]:
        page.keyboard.press("Control+k")
        search.fill(typed)
        expect(page.get_by_role("listbox", name="Results").get_by_role("option").first).to_contain_text(kind)
        search.press("Enter")
        expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
    page.keyboard.press("Control+k")
    search.fill("Person 7")
    expect(page.get_by_text("Nothing found.")).to_be_visible()
    expect(page.get_by_text("names and addresses have no index")).to_be_visible()
    page.keyboard.press("Escape")
    expect(search).to_have_count(0)


def test_all_that_match_are_replayed_as_in_the_dry_run(signed_in, switchboard, listener, hook, route, post, area):
    page = signed_in
    for number in range(3):
        send(post, hook, number)
    area(page, "Events")
    page.get_by_label("Type", exact=True).select_option("botstar.checkpoint_record.created")
    bodies = []
    page.on("request", lambda request: bodies.append(json.loads(request.post_data)) if "/replay" in request.url else None)
    page.get_by_role("button", name="Replay all that match…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("This replays 3 events in 3 new deliveries.")
    send(post, hook, 3)
    dialog.get_by_role("button", name="Replay", exact=True).click()
    expect(page.get_by_text("Done: 3 events, 3 deliveries made.")).to_be_visible()
    dry, run = bodies
    assert dry.pop("dry_run") is True
    assert dry == run and run["type"] == "botstar.checkpoint_record.created" and run["before"]


def test_checked_events_are_replayed_and_two_are_compared(signed_in, switchboard, hook, route, post, area):
    page = signed_in
    for number in range(3):
        send(post, hook, number)
    area(page, "Events")
    boxes = page.get_by_role("table", name="Events, newest first").locator("tbody").get_by_role("checkbox")
    expect(boxes).to_have_count(3)
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.get_by_role("button", name="Replay 2 selected…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Selected events: 2.")
    dialog.get_by_role("button", name="Replay", exact=True).click()
    expect(page.get_by_text("Done: 2 of 2.")).to_be_visible()
    expect(dialog).to_have_count(0)
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.get_by_role("link", name="Compare the two").click()
    expect(page.locator("del").filter(has_text="Person 2").first).to_be_visible()
    expect(page.locator("ins").filter(has_text="Person 1").first).to_be_visible()


def test_an_inspector_shows_attempts_the_request_now_and_what_came(signed_in, switchboard, listener, hook, route, post):
    page = signed_in
    listener.statuses["/shop"] = 503
    send(post, hook, 1, note=QUOTED, number=BEYOND_DOUBLES)
    delivery = switchboard.call("GET", "/v1/deliveries")["items"]
    while not delivery or delivery[0]["state"] != "dead":
        page.wait_for_timeout(200)
        delivery = switchboard.call("GET", "/v1/deliveries")["items"]
    page.goto(f"{switchboard.url}/console#/deliveries/{delivery[0]['id']}")
    attempts = page.get_by_role("list", name="Attempts").get_by_role("listitem")
    expect(attempts).to_have_count(3)
    expect(attempts.first).to_contain_text("503")
    attempts.nth(0).get_by_label("Compare").check()
    attempts.nth(1).get_by_label("Compare").check()
    expect(page.get_by_role("heading", name="Attempts 2 and 3")).to_be_visible()
    page.get_by_role("tab", name="Request as of now").click()
    expect(page.get_by_text("The requests of past attempts are not stored.")).to_be_visible()
    command = copied(page, "as curl")
    assert "s3cret" not in command and "webhook-signature" not in command
    script = command.replace("curl -sS", "printf '%s\\n'", 1)
    arguments = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert QUOTED.replace("\\", "\\\\").replace('"', '\\"') in arguments and str(BEYOND_DOUBLES) in arguments
    page.get_by_role("tab", name="Received").click()
    page.get_by_role("button", name="Hex").click()
    expect(page.locator("pre.hex")).to_contain_text("000000  7b 22 75 73 65 72 22")
    page.get_by_role("link", name="Open in the builder").click()
    expect(page.get_by_label("With the event")).to_have_value(delivery[0]["event"])


def test_the_builder_completes_paths_and_shows_faults_at_their_place(signed_in, switchboard, hook, post):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/routes/new")
    page.get_by_label("New Checkpoint Record").check()
    expect(page.get_by_role("heading", name="The event", exact=True)).to_be_visible()
    page.get_by_label("Filter").click()
    page.keyboard.type("data.checkpoint.na")
    page.get_by_role("option", name="data.checkpoint.name", exact=False).first.click()
    expect(page.get_by_label("Filter")).to_have_text("data.checkpoint.name")
    page.keyboard.type(' == "Order" && nope')
    expect(page.locator(".cm-lintRange-error")).to_have_text("nope")
    expect(page.get_by_text("unknown variable `nope`")).to_be_visible()


def test_a_body_is_built_of_texts_expressions_and_objects(signed_in, switchboard, listener, hook, post):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/routes/new")
    page.get_by_role("textbox", name="Name").fill("Nested")
    page.get_by_label("New Checkpoint Record").check()
    page.get_by_label("URL").fill(f"{listener.url}/nested")
    page.get_by_label("Custom fields").check()
    expect(page.get_by_role("region", name="Test").get_by_text("{}")).to_be_visible()
    page.get_by_role("button", name="Add field", exact=True).click()
    page.get_by_label("Name of field 1").fill("note")
    page.get_by_label("Kind of Value of field note").select_option("text")
    page.get_by_label("Value of field note", exact=True).fill('say "hi"')
    page.get_by_role("button", name="Add field", exact=True).click()
    page.get_by_label("Name of field 2").fill("user")
    page.get_by_role("button", name="Make user an object").click()
    page.get_by_label("Name of field user.1").fill("name")
    page.get_by_label("Value of field user.name", exact=True).fill("data.subscriber.name")
    expect(page.get_by_text('"say \\"hi\\""')).to_be_visible()
    page.get_by_role("button", name="Create the route", exact=True).click()
    expect(page.get_by_role("heading", name="Nested", level=1)).to_be_visible()
    send(post, hook, 1)
    page.get_by_role("table", name="Deliveries").get_by_text("succeeded").wait_for()
    assert json.loads(listener.at("/nested")[0].body) == {"note": 'say "hi"', "user": {"name": "Person 1"}}
    page.get_by_role("tab", name="Builder and test").click()
    expect(page.get_by_label("Value of field note", exact=True)).to_have_value('say "hi"')
    expect(page.get_by_label("Value of field user.name", exact=True)).to_have_text("data.subscriber.name")


def test_a_removed_field_leaves_the_kinds_of_the_others(signed_in, switchboard):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/routes/new")
    page.get_by_label("Custom fields").check()
    for number, name in enumerate(["greeting", "product"], 1):
        page.get_by_role("button", name="Add field", exact=True).click()
        page.get_by_label(f"Name of field {number}").fill(name)
    page.get_by_label("Kind of Value of field greeting").select_option("text")
    page.get_by_label("Value of field product", exact=True).fill("data.record.fields.Product")
    page.get_by_role("button", name="Remove field greeting").click()
    expect(page.get_by_label("Kind of Value of field product")).to_have_value("expression")
    expect(page.get_by_label("Value of field product", exact=True)).to_have_text("data.record.fields.Product")


def test_a_copy_of_a_route_leaves_the_draft_of_a_new_one_alone(signed_in, switchboard, route):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/routes/new")
    page.get_by_role("textbox", name="Name").fill("Half done")
    page.goto(f"{switchboard.url}/console#/routes/{route['id']}")
    page.get_by_role("link", name="Duplicate").click()
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("Copy of To the shop")
    page.goto(f"{switchboard.url}/console#/routes")
    page.get_by_role("link", name="Create a route").click()
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("Half done")


def test_a_second_sample_is_said_to_be_a_duplicate(signed_in, switchboard, hook):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/hooks/{hook['id']}")
    page.get_by_role("button", name="Send a sample").click()
    expect(page.get_by_text("A sample was sent and accepted.")).to_be_visible()
    page.get_by_role("button", name="Send a sample").click()
    page.get_by_role("link", name="Replay that event").click()
    expect(page.get_by_role("heading", name="Checkpoint Record", level=1)).to_be_visible()


def test_the_builder_offers_events_of_its_types(signed_in, switchboard, hook, post):
    page = signed_in
    tags = switchboard.hook("botstar.watch-tag", "Tags", hook["connection"])
    send(post, hook, 1)
    for number in range(30):
        post(tags["url"], json.dumps({"user": {"id": "u-1"}, "tag": f"t-{number}"}))
    page.goto(f"{switchboard.url}/console#/routes/new")
    page.get_by_label("New Checkpoint Record").check()
    offered = page.get_by_label("With the event").get_by_role("option")
    expect(offered).to_have_count(2)
    expect(offered.nth(1)).to_contain_text("Person 1")


def test_a_draft_survives_a_reload_and_an_expired_key(page, switchboard, hook):
    key = switchboard.call("POST", "/v1/keys", {"name": "Short", "scope": "admin"})
    page.get_by_label("Key").fill(key["key"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.goto(f"{switchboard.url}/console#/routes/new")
    page.get_by_role("textbox", name="Name").fill("Half done")
    page.get_by_label("URL").fill("https://shop.example/in")
    page.get_by_role("button", name="Add header").click()
    page.get_by_label("Name of header 1").fill("x-key")
    page.get_by_label("Value of header 1").fill("s3cret")
    page.reload()
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("Half done")
    assert "s3cret" not in page.evaluate("JSON.stringify(sessionStorage)")
    switchboard.call("DELETE", f"/v1/keys/{key['id']}")
    page.get_by_label("New Checkpoint Record").check()
    expect(page.get_by_text("The key is no longer valid.")).to_be_visible()
    page.get_by_label("Key").fill(switchboard.key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("URL")).to_have_value("https://shop.example/in")
    expect(page.get_by_label("New Checkpoint Record")).to_be_checked()
    page.get_by_role("button", name="Discard them").click()
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("")


def test_a_route_is_duplicated_exported_and_imported(signed_in, switchboard, route, tmp_path):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/routes/{route['id']}")
    name, text = saved(page, "Export")
    exported = json.loads(text)
    assert name == "To the shop.route.json" and "s3cret" not in text and "secret" not in exported["target"]
    page.get_by_role("link", name="Duplicate").click()
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("Copy of To the shop")

    good = exported | {"name": "Imported", "target": exported["target"] | {"headers": {}}}
    bad = good | {"name": "Bad", "filter": "nope =="}
    file = tmp_path / "routes.json"
    file.write_text(json.dumps([good, bad, exported]))
    page.goto(f"{switchboard.url}/console#/routes")
    page.get_by_role("button", name="Import…").click()
    dialog = page.get_by_role("dialog", name="Import routes")
    dialog.get_by_label("File").set_input_files(file)
    dialog.get_by_role("button", name="Create 3").click()
    outcomes = dialog.get_by_role("listitem")
    expect(outcomes.nth(0)).to_have_text("Imported Created.")
    expect(outcomes.nth(1)).to_contain_text("/filter 1:8: something is missing at the end")
    expect(outcomes.nth(2)).to_contain_text("The values of its headers are not in the file: x-key.")
    assert {one["name"] for one in switchboard.call("GET", "/v1/routes")["items"]} == {"To the shop", "Imported"}


def test_a_hook_is_exported_without_its_url_and_imported(signed_in, switchboard, hook, tmp_path):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/hooks/{hook['id']}?tab=settings")
    name, text = saved(page, "Export as JSON")
    assert name == "Orders.hook.json" and hook["url"].rsplit("/", 1)[1] not in text
    assert json.loads(text)["trigger"] == "botstar.watch-checkpoint-record"
    file = tmp_path / name
    file.write_text(text)
    page.goto(f"{switchboard.url}/console#/hooks")
    page.get_by_role("button", name="Import…").click()
    dialog = page.get_by_role("dialog", name="Import hooks")
    dialog.get_by_label("File").set_input_files(file)
    dialog.get_by_role("button", name="Create 1").click()
    expect(dialog.get_by_role("listitem")).to_have_text("Orders Created.")
    dialog.get_by_role("button", name="Close").click()
    expect(page.get_by_role("button", name="Import…")).to_be_focused()
    expect(page.get_by_role("table").locator("tbody tr")).to_have_count(2)


def test_a_csv_has_no_formula_and_every_digit(signed_in, hook, post, area):
    post(
        hook["url"],
        json.dumps({"user": {"id": "u-1", "name": "=1+1"}, "checkpoint": {"name": '@SUM("x")'}, "record": {"fields": {"n": BEYOND_DOUBLES, "m": "-5"}}}),
    )
    area(signed_in, "Subscribers")
    expect(signed_in.get_by_role("table")).to_contain_text("=1+1")
    name, text = saved(signed_in, "Export as CSV")
    assert name == "subscribers.csv" and '"\'=1+1"' in text
    area(signed_in, "Records")
    expect(signed_in.get_by_role("table")).to_contain_text("@SUM")
    _, text = saved(signed_in, "Export as CSV")
    assert '"\'@SUM(""x"")"' in text and f'"{BEYOND_DOUBLES}"' in text and '"-5"' in text


def test_a_connection_shows_its_warning_and_its_generated_credential(signed_in, switchboard, area):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/connections?new=botdistrikt")
    page.get_by_label("Name").fill("Guessable")
    page.get_by_label("Webchat app ID").fill("4711")
    page.get_by_label("Domain", exact=False).first.fill("coffee.example.com")
    page.get_by_role("button", name="Create the connection").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("is guessable: anyone who guesses it can write")
    expect(page.get_by_text("[object Object]")).to_have_count(0)
    dialog.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Create a connection").click()
    dialog.get_by_role("button", name="BotDistrikt").click()
    page.get_by_label("Name").fill("Generated")
    page.get_by_label("Webchat app ID").fill("4712")
    page.get_by_label("Generate the domain for me").check()
    page.get_by_role("button", name="Create the connection").click()
    expect(page.get_by_text("Generated for you, and shown only now:")).to_be_visible()
    assert len(copied(page, "domain")) >= 20
    dialog.get_by_role("button", name="Close").click()
    area(page, "Overview")
    page.get_by_role("link", name="Connection Guessable has a warning", exact=True).click()
    expect(page.get_by_text("is guessable")).to_be_visible()


def test_a_deletion_at_a_platform_is_asked_about(signed_in, switchboard, chatbot):
    page = signed_in
    page.goto(f"{switchboard.url}/console#/modules/chatbot.delete-story")
    page.get_by_label("Connection").select_option(label="Helpdesk")
    page.get_by_label("Story id").fill("story-1")
    sent = []
    page.on("request", lambda request: sent.append(request.url) if "/v1/actions/" in request.url else None)
    page.get_by_role("button", name="Run").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("story id story-1 is deleted")
    dialog.get_by_role("button", name="Cancel").click()
    assert sent == []
    page.get_by_role("button", name="Run").click()
    with page.expect_response("**/v1/actions/**"):
        dialog.get_by_role("button", name="Delete").click()
    assert len(sent) == 1


def test_a_key_may_have_an_end_and_shows_it(signed_in, switchboard, area):
    page = signed_in
    area(page, "Keys")
    page.get_by_role("button", name="Create a key").click()
    page.get_by_label("Name").fill("Trainee")
    page.get_by_label("Scope").select_option("operate")
    page.get_by_label("Ends after").select_option("30 days")
    page.get_by_role("button", name="Create the key").click()
    expect(page.get_by_role("table").get_by_role("row").filter(has_text="Trainee")).to_contain_text(re.compile("in (29|30) d"))


def test_the_map_leads_to_hooks_and_routes_by_keyboard(signed_in, switchboard, hook, route):
    page = signed_in
    page.reload()
    drawn = page.get_by_role("region", name="Hooks, routes and targets")
    link = drawn.get_by_role("link", name="To the shop").first
    link.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="To the shop", level=1)).to_be_visible()


def test_the_first_load_is_small(page, switchboard):
    sizes = "Object.fromEntries(performance.getEntriesByType('resource').map((file) => [file.name, file.encodedBodySize]))"
    page.get_by_label("Key").fill(switchboard.key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("figure").first).to_be_visible()
    # The pages that are loaded in the background are not needed yet.
    first = {url: size for url, size in page.evaluate(sizes).items() if "/console" in url and not url.endswith("/later.js")}
    assert first[f"{switchboard.url}/console/console.js"] > 0
    assert sum(first.values()) < 100_000
    page.goto(f"{switchboard.url}/console#/routes/new")
    expect(page.locator(".cm-editor").first).to_be_visible()
    assert 0 < page.evaluate(sizes)[f"{switchboard.url}/console/editor.js"] < 150_000
