"""The dashboard's languages: each has every string of the code, and none that is not there."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from webhooks.management.requests import Appearance

SCRIPTS = Path(__file__).parents[3] / "functions" / "dashboard" / "static" / "js"
LANGUAGES = sorted(path.stem for path in (SCRIPTS / "strings").glob("*.js"))
_PLAIN = re.compile(r'\bt\(("(?:[^"\\]|\\.)*")\)')
_TEMPLATE = re.compile(r"\bt`")
_PLURAL = re.compile(r'\bplural\((?:[^()"]|\([^()]*\))*, "([a-z ]+)"(?:, "([a-z ]+)")?\)')
_PLACE = re.compile(r"\{\d\}")
_ENTRY = re.compile(r'^  ("(?:[^"\\]|\\.)*"): ("(?:[^"\\]|\\.)*"),$', re.MULTILINE)


def test_the_languages_are_those_of_the_code_and_of_the_api() -> None:
    (named,) = re.findall(r"const LANGUAGES = (\[.*\]);", (SCRIPTS / "strings.js").read_text())
    (chosen,) = (each for each in get_args(Appearance.model_fields["language"].annotation) if get_args(each))
    assert json.loads(named) == LANGUAGES
    assert sorted(get_args(chosen)) == sorted(["en", *LANGUAGES])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_every_string_once_with_its_places(language: str) -> None:
    text = (SCRIPTS / "strings" / f"{language}.js").read_text()
    entries = [(json.loads(english), json.loads(other)) for english, other in _ENTRY.findall(text)]
    strings = dict(entries)
    assert len(strings) == len(entries) == text.count('": "')
    needed = set(_needed())
    assert needed - set(strings) == set()
    unused = {each for each in set(strings) - needed if not re.fullmatch("[a-z0-9 ]+", each)}  # states have no call
    assert unused == set()
    for english, other in entries:
        assert other, english
        assert sorted(_PLACE.findall(english)) == sorted(_PLACE.findall(other)), english


def _needed() -> Iterator[str]:
    """What the code says: "Delete {0}?" for t`Delete ${name}?`."""
    for path in SCRIPTS.rglob("*.js"):
        text = path.read_text()
        if path.parent.name == "strings" or path.name == "strings.js":
            continue
        yield from (json.loads(each) for each in _PLAIN.findall(text))
        yield from (_key(text, match.end()) for match in _TEMPLATE.finditer(text))
        if 'strings.js"' in text:
            for one, many in _PLURAL.findall(text):
                yield from (one, many or f"{one}s")


def _key(text: str, at: int) -> str:
    key, places, depth = "", 0, 0
    while depth or text[at] != "`":
        if text.startswith("${", at) and not depth:
            key, places, depth, at = f"{key}{{{places}}}", places + 1, 1, at + 2
            continue
        if depth:
            depth += {"{": 1, "}": -1}.get(text[at], 0)
        else:
            key += text[at]
        at += 1
    return key
