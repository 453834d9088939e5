"""The scripted model: it takes a milestone's number for its version, and goes on from there."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from langchain_agentrein.demo.issues.repository import BIG, QUESTIONS, REPO, WRONG
from langchain_agentrein.demo.scripted import Turn

GOAL = (
    "2.4 ships today. Please close the issues that it fixes, tell the people in them, and announce it. "
    "Delete what is spam."
)
THREAD = "release-2.4"


def tidy(_: Sequence[BaseMessage]) -> tuple[Turn, ...]:
    """The script."""
    repo = {"repo": REPO}
    return (
        (
            "I need to know which issues belong to 2.4.",
            "I will look at the milestones and the open issues.",
            (("github_milestones_list", repo), ("github_issues_list", repo)),
        ),
        (
            "Release 2.4 is milestone 4. Four issues are in it: 4, 5, 6 and 7.",
            "These four are fixed by 2.4, so I close them.",
            tuple(
                (
                    "github_issues_update",
                    {**repo, "number": number, "state": "closed", "labels": ["released"]},
                )
                for number in WRONG
            ),
        ),
        (
            "Their people should hear of it.",
            "I tell the people in them.",
            tuple(
                ("github_comments_create", {**repo, "number": number, "body": "Fixed in 2.4. Enjoy!"})
                for number in WRONG
            ),
        ),
        (
            "The titles should show it, too, and there should be one place to talk about the release.",
            "I mark a title, and open an issue for questions about the release.",
            (
                (
                    "github_issues_update",
                    {**repo, "number": 6, "title": "[released] Encrypt notes at rest"},
                ),
                (
                    "github_issues_create",
                    {**repo, "title": "2.4 is out: questions here", "body": "Fixed: #4, #5, #6, #7."},
                ),
            ),
        ),
        (
            "Milestone 4 has no open issues any more.",
            "The milestone is done.",
            (("github_milestones_update", {**repo, "number": BIG, "state": "closed"}),),
        ),
        (
            "Two issues say nothing about the program: that is spam, and I was asked to delete it.",
            "These two look like spam. Deleting cannot be undone, so you may want to look.",
            tuple(("github_issues_delete", {**repo, "number": number}) for number in QUESTIONS),
        ),
        (
            "Those stay, then. Everything else is done: 2.4 can be announced.",
            "I announce 2.4.",
            (("release_announce", {**repo, "tag": "2.4"}),),
        ),
        ("", "2.4 is announced.", ()),
    )
