"""Examples of the documents, run as a reader would."""

import json
import re
import subprocess
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text()
# Its shorthand is used by other examples.
FIRST_EXAMPLE = README.split("\n## First example\n", 1)[1].split("\n## ", 1)[0]
# Stands between the outputs of two blocks.
BETWEEN = "\x1e"
# Ids, keys, tokens and times, which differ between runs.
VARYING = re.compile(
    r"\b(?:key|evt|con|hook|sub|cpr|rt|dlv)_[a-z0-9]+|\bsbk_[\w-]+|/hooks/[a-z]+/[a-z-]+/[\w-]+"
    r"|\d{4}-\d\d-\d\dT[\d:.]+Z|\b[0-9a-f]{24}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
)


def blocks(document):
    """The fenced blocks of a document: language and text."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)


def steps(document):
    """Commands, each with the language and text of what they print."""
    found = []
    for language, text in blocks(document):
        if language == "sh":
            found.append((text, None))
        elif language and found:
            commands, _ = found.pop()
            found.append((commands, (language, text)))
    return found


def comparable(language, text):
    text = VARYING.sub("…", text).strip()
    if language != "json":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.splitlines()]


def run_steps(examples, here, folder, seconds, **settings):
    """Runs commands in one shell, and compares what they print. `here` puts this run's places into a text."""
    script = "".join(f"{here(commands)}\nprintf '{BETWEEN}'\n" for commands, _ in examples)
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=seconds, **settings,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    printed = ran.stdout.split(BETWEEN)[:-1]
    for (commands, output), text in zip(examples, printed, strict=True):
        if output:
            language, expected = output
            assert comparable(language, text) == comparable(language, here(expected)), commands
