"""Models, users and vendors write what is shown here: none of it may do more than be read."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_agentrein.action import Intent, SessionStatus, Status, Undo
from langchain_agentrein.report import ReportLine, RollbackReport
from langchain_agentrein.timeline import Timeline, report_html

from .stories import Story

HOSTILE = [
    "<script>alert(1)</script>",
    "</style></details><img src=x onerror=alert(1)>",
    "\"'><svg/onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "<!-- --> ]]> &lt;b&gt;",
    "`<b>code</b>`",
    '"] --> x["pwned',
    '; end\nend\nclick n0 href "javascript:alert(1)"',
    "%%{init: {'securityLevel': 'loose'}}%%",
    "---\ntitle: x\n---",
    "#quot; #35; :::bad $$x$$ fa:fa-ban",
    "\x1b[2J\x1b[31mred\x1b]0;title\x07\x1b]8;;http://evil\x1b\\link\x9b31m",
    "safe\u202egnp.exe\u202c\u2066x\u2069\u200b\u200f\U000e0041",
    "a\rb\x00\x08\x7f\x85 \ud800",
    "[bold red]markup[/] [/nonsense]",
]


def hostile(text: str) -> Timeline:
    """`text` wherever a journal may hold one."""
    story = Story(goal=text, thread=text, reason=text)
    intent = Intent(text, text, text, 0.9, text, text)
    story.do(
        "act_1", text, {"statement": text, text: [text, {text: text}]}, {text: text},
        intent=intent, account=text, tool_call_id=text,
    )  # fmt: skip
    story.begin("act_2", text, {text: text}, intent=intent)
    story.move("act_2", Status.FAILED, error={"type": text, "message": text, "unsettled": text})
    failure = {"type": text, "message": text, "action_id": "act_2"}
    story.session(SessionStatus.ROLLING_BACK, failure=failure)
    story.note("act_1", text)
    story.move("act_1", Status.COMPENSATING)
    story.move("act_1", Status.CONFLICT, undo=Undo("conflict", (text,), 1, text, text, text))
    story.session(SessionStatus.STUCK, by=text, reason=text)
    return story.timeline()


class Elements(HTMLParser):
    """Which tags and attributes a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[tuple[str, tuple[str, ...]]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add((tag, tuple(name for name, _ in attrs)))


def elements(html: str) -> set[tuple[str, tuple[str, ...]]]:
    parser = Elements()
    parser.feed(html)
    return parser.seen


@pytest.mark.parametrize("text", HOSTILE)
def test_html_has_no_element_that_a_harmless_text_would_not_have(text: str) -> None:
    harmless, timeline = hostile("harmless"), hostile(text)
    for html, calm in (
        (timeline.to_html(), harmless.to_html()),
        (timeline._repr_html_(), harmless._repr_html_()),
    ):
        assert elements(html) - {("code", ())} <= elements(calm)
        assert "<script" not in html and not re.search(r"<[^>]* on\w+=", html)


@pytest.mark.parametrize("text", HOSTILE)
def test_html_of_a_report(text: str) -> None:
    def html(said: str) -> str:
        return report_html(RollbackReport(("s",), (ReportLine(said, said, said, 1, (said,), said, said),)))

    assert elements(html(text)) == elements(html("harmless"))


def test_html_loads_nothing_and_runs_nothing() -> None:
    html = hostile("x").to_html()
    assert "default-src 'none'" in html
    assert not re.search(r"(?:src|href)=\"(?!#)", html)
    assert "@import" not in html and "url(" not in html


@pytest.mark.parametrize("text", HOSTILE)
def test_mermaid_labels_cannot_break_out(text: str) -> None:
    source = hostile(text).to_mermaid()
    lines = source.splitlines()
    shape = [re.sub(r'"[^"]*"', '""', row) for row in lines]
    assert shape == [re.sub(r'"[^"]*"', '""', row) for row in hostile("harmless").to_mermaid().splitlines()]
    labels = "".join(re.findall(r'"([^"]*)"', source))
    without_entities = re.sub(r"#\d+;", "", labels.replace("<br/>", ""))
    assert not re.search(r"[\[\]{}()|`;%\\<>&$\"]", without_entities)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_shown_holds_what_a_terminal_obeys_or_a_reader_cannot_see(text: str) -> None:
    timeline = hostile(text)
    shown = [
        str(timeline),
        timeline.to_html(),
        timeline.to_mermaid(),
        json.dumps(timeline.to_dict(), ensure_ascii=False),
    ]
    for one in shown:
        assert not re.search(
            "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]",
            one,
        )
        one.encode("utf-8")


def test_the_words_of_a_hidden_text_are_shown() -> None:
    text = str(hostile("\x1b]0;delete all\x07 \u202efiles"))
    assert "delete all" in text and "files" in text


def test_rich_markup_is_text() -> None:
    assert "[bold red]markup[/] [/nonsense]" in str(hostile("[bold red]markup[/] [/nonsense]"))


BREAKING = st.lists(
    st.one_of(
        st.sampled_from([*"<>&\"'`[](){}|#;%\\\n\r\x1b\x9b\x00\u202e", "-->", "<script>", "</", "<!--", "&lt;", "#quot;", "]]"]),
        st.sampled_from([" on", "click", "end", "subgraph", "javascript:", "[/]", "[link=x]", "\x1b]8;;x\x07", "${x}"]),
        st.text(max_size=4),
    ),
    max_size=12,
).map("".join)  # fmt: skip
"""Texts of what breaks out of something."""


@settings(max_examples=40, deadline=None)
@given(BREAKING)
def test_no_text_becomes_anything_but_text(text: str) -> None:
    timeline = hostile(f"a{text}")
    html, mermaid = timeline.to_html(), timeline.to_mermaid()
    assert elements(html) - {("code", ())} <= elements(CALM.to_html())
    shape = [re.sub(r'"[^"]*"', '""', row) for row in mermaid.splitlines()]
    assert shape == [re.sub(r'"[^"]*"', '""', row) for row in CALM.to_mermaid().splitlines()]
    for one in (str(timeline), html, mermaid, json.dumps(timeline.to_dict(), ensure_ascii=False)):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]", one)


CALM = hostile("harmless")
