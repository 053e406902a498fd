"""W3C Trace Context: what counts as a traceparent, and that nothing else reaches a header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.events.trace_context import trace_of, traces_of

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("flags", ["00", "01", "ff"])
def test_a_traceparent_goes_on_as_it_came(flags: str) -> None:
    assert trace_of(TRACE[:-2] + flags) == TRACE[:-2] + flags


@pytest.mark.parametrize("later", [f"01{TRACE[2:]}", f"cc{TRACE[2:]}-what-comes-later", f"01{TRACE[2:]}-"])
def test_what_a_later_version_adds_is_left_out(later: str) -> None:
    assert trace_of(later) == TRACE


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        7,
        ["00"],
        "",
        TRACE.upper(),
        TRACE + "-more",
        TRACE + " ",
        " " + TRACE,
        TRACE + "\n",
        TRACE[:-1],
        TRACE + "0",
        "ff" + TRACE[2:],
        "cc" + TRACE[2:] + ".more",
        "00-" + "0" * 32 + TRACE[35:],
        TRACE[:36] + "0" * 16 + "-01",
        TRACE.replace("-", "_"),
        TRACE.replace("4bf9", "4bg9"),
        TRACE.replace("4bf9", "４bf9"),  # noqa: RUF001 - a digit that is not ASCII
    ],
)
def test_what_is_none_counts_for_nothing(wrong: object) -> None:
    assert trace_of(wrong) == ""


@given(st.text() | st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"))
def test_a_header_is_made_of_nothing_else(text: str) -> None:
    found = trace_of(text)
    assert found == "" or (len(found) == len(TRACE) and set(found) <= set("0123456789abcdef-"))
    assert trace_of(found) == found


@pytest.mark.parametrize("values", [None, {}, "x", [], [TRACE], [TRACE] * 3])
def test_a_list_that_does_not_fit_its_events_counts_for_nothing(values: object) -> None:
    assert traces_of(values, 2) == ["", ""]


def test_each_event_has_its_own() -> None:
    assert traces_of([TRACE, "wrong"], 2) == [TRACE, ""]
