"""The shape of the drawing."""

from __future__ import annotations

import re

from langchain_agentrein.timeline.shown import line

from .stories import Story, failing, several, tell


def test_every_node_and_edge_is_drawn_once() -> None:
    timeline = failing().timeline()
    source = timeline.to_mermaid()
    drawn = re.findall(r"^        n(\d+)[\[({]", source, re.MULTILINE)
    assert drawn == [str(place) for place in range(len(timeline))]
    assert len(re.findall(r"(?:==>|-\.->)\|", source)) == len(timeline.edges)
    assert source.count("subgraph") == 1


def test_arrows_keep_the_order_of_time() -> None:
    source = tell(*several()).to_mermaid()
    arrows = re.findall(r"n(\d+) (?:---|==>|-\.->)(?:\|[\w ]+\|)? n(\d+)", source)
    assert arrows and all(int(start) < int(end) for start, end in arrows)
    assert "|run again as|" in source and "|undo caused by|" in source


def test_of_too_much_the_uneventful_is_left_out() -> None:
    story = failing()
    for number in range(500):
        story.do(f"act_x{number}", "files.write", {"path": "%" * 200})
    source = story.timeline().to_mermaid()
    assert "more, not drawn" in source
    assert len(source) <= 50_000  # what Mermaid draws at most
    assert source.count("#10;") == 0 and "charge_card" in source
    assert len(re.findall(r"^        n\d+", story.timeline().to_mermaid(limit=10), re.MULTILINE)) == 10


def test_times_stay_readable() -> None:
    story = Story(goal="see https://example.com/a")
    source = story.timeline().to_mermaid()
    assert "09#58;30#58;00 opened" in source
    assert line("x") == "x"
