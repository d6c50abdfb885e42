"""A check for Schemathesis: a request that fits the OpenAPI document is refused for its content alone."""

import re

import schemathesis

# Refusals that no schema can say: the code of the problem, where it is, and in which words.
CONTENT = [
    # A key ends within a span from now.
    ("invalid_body", "/expires_at", "must be in the future|at most ten years ahead"),
    # Cursors are of one list and its filters; times are compared with each other.
    ("invalid_query", "cursor", "must be the `next` of a page of this list"),
    ("invalid_query", "after", "must be earlier than"),
    ("invalid_query", "period", "at most [0-9]+ are allowed|must be at least"),
    ("invalid_body", "/before", "must be later than"),
    # Fields that exclude each other, or depend on a value.
    ("invalid_body", "/idempotency_key", "must equal the Idempotency-Key header"),
    ("invalid_body", "/(users|users_bm|platform|confirm_everyone)", "."),
    ("invalid_body", "", "^has no recipients|^must have (a name or|email or|a name, a status or)"),
    ("invalid_body", "/limit", "as for the page before"),
    ("invalid_body", "/rejected", "must be left out if"),
    ("invalid_body", "/filters/[0-9]+/.*", "."),
    # An action's names and the addresses that may be called.
    ("invalid_body", "/path", "."),
    ("invalid_body", "/credentials/event_url", "."),
    ("invalid_body", "/target/url", "."),
    ("invalid_body", "/target/(arn|group)", "."),
    # BotStar's messages, and the fields of its items.
    ("invalid_body", "/(message|fields)/.*", "."),
    ("invalid_body", "/headers/.*", "is a reserved header"),
    ("invalid_body", "/target/headers/.*", "is a reserved header"),
    # Expressions, and patterns of events that exist.
    ("invalid_body", "/filter|/target/(body|input)/.*", "."),
    ("invalid_body", "/(events|subscribe)/[0-9]+", "matches no event type"),
    # A hook's settings and a connection's credentials depend on what it was made for.
    ("invalid_body", "/settings/.*|/credentials.*|/generate", "."),
    ("invalid_body", "/target", "takes [0-9]+ bytes to store"),
]
FORM = {"bad_json", "invalid_body", "invalid_query"}


def is_content(code, fault):
    return any(
        code == known and re.fullmatch(pointer, fault["pointer"], re.DOTALL) and re.search(words, fault["detail"])
        for known, pointer, words in CONTENT
    )


@schemathesis.check
def refused_for_content_alone(ctx, response, case):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code < 400 or "json" not in response.headers.get("content-type", [""])[0]:
        return
    problem = response.json()
    if problem.get("code") not in FORM:
        return
    faults = problem.get("errors") or [{"pointer": "", "detail": problem["detail"]}]
    of_form = [fault for fault in faults if not is_content(problem["code"], fault)]
    assert not of_form, f"{problem['code']}: {of_form}"
