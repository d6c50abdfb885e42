"""The console in headless Chromium, served by `local` as `make run` serves it, with a listener for what routes carry on."""

import math
import os
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY / "tests/e2e"))

from listener import Listener  # noqa: E402
from sandbox import TOKEN, Sandbox  # noqa: E402
from switchboard import Switchboard  # noqa: E402

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
# As root, and in a machine without a network.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
TIMEOUT_MS = 10_000
expect.set_options(timeout=TIMEOUT_MS)
SIZE = {"width": 1280, "height": 860}
# Minutes shown by the charts of the shortest period.
MINUTES_SHOWN = 15


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory):
    """Plays ChatBot."""
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"))
    sandbox.start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def chatbot(switchboard):
    return switchboard.connection("chatbot", "Helpdesk", access_token=TOKEN)


@pytest.fixture
def switchboard(tmp_path, sandbox):
    switchboard = Switchboard(tmp_path, CHATBOT_API_URL=f"{sandbox.url}/chatbot", RETRY_SCHEDULE="1,1")
    switchboard.start()
    yield switchboard
    switchboard.stop()


@pytest.fixture
def listener():
    listener = Listener()
    listener.start()
    yield listener
    listener.stop()


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, switchboard):
    """A tab at the sign-in. What breaks in it, or is kept from it by its policy, fails the test."""
    context = browser.new_context(viewport=SIZE, permissions=["clipboard-read", "clipboard-write"])
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    faults, asked = [], set()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None)
    page.on("request", lambda request: asked.add("/".join(request.url.split("/")[:3])))
    page.goto(f"{switchboard.url}/console")
    yield page
    context.close()
    assert faults == []
    assert asked <= {switchboard.url}, "nothing is asked of anyone else"


@pytest.fixture
def signed_in(page, switchboard):
    page.get_by_label("Key").fill(switchboard.key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Overview").wait_for()
    return page


@pytest.fixture(scope="session")
def area():
    """Goes to an area of the page."""

    def area(page, name):
        page.get_by_role("navigation", name="Areas").get_by_role("link", name=name).click()

    return area


@pytest.fixture(scope="session")
def act():
    """Presses a button and confirms its question."""

    def act(page, name):
        page.get_by_role("button", name=name, exact=True).click()
        page.get_by_role("dialog").get_by_role("button").last.click()

    return act


@pytest.fixture(scope="session")
def tab():
    """Chooses a tab of the page."""

    def tab(page, name):
        page.get_by_role("tab", name=name).click()

    return tab


@pytest.fixture(scope="session")
def shot():
    """Takes a picture of what is to be seen, where a folder is named for them (`make screenshots`)."""

    def shot(page, name):
        if folder := os.environ.get("SCREENSHOTS"):
            page.mouse.move(0, 0)
            page.evaluate("document.querySelectorAll('.toast button').forEach((close) => close.click())")
            page.evaluate("document.querySelectorAll('main, .trial').forEach((part) => part.scrollTo(0, 0))")
            # A layout as tall as the window makes the page taller still, hence the second measurement.
            for _ in range(2):
                page.set_viewport_size(SIZE | {"height": page.evaluate("document.documentElement.scrollHeight")})
            page.evaluate("scrollTo(0, 0)")
            page.screenshot(path=Path(folder) / f"{name}.png")
            page.set_viewport_size(SIZE)

    return shot


@pytest.fixture(scope="session")
def some_minutes():
    """Has a call made again and again while a chart fills, where pictures are taken; not at all where none are."""

    def some_minutes(call):
        minutes = range(MINUTES_SHOWN if os.environ.get("SCREENSHOTS") else 0)
        for minute in minutes:
            calls = 18 + round(12 * math.sin(minute)) + minute
            for _ in range(calls):
                call(minute)
                time.sleep(60 / calls)

    return some_minutes


@pytest.fixture(scope="session")
def post():
    def post(url, body):
        request = urllib.request.Request(url, body.encode(), {"content-type": "application/json"}, method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    return post
