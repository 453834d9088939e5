"""What the doctor says of credentials: what reading tells, and never more."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError

import pytest
from github import Auth, Github
from typer.testing import CliRunner

from langchain_agentrein import NotDone
from langchain_agentrein.cli import app
from langchain_agentrein.toolkits import GitHubToolkit
from tests.integration_tests.toolkits.github.world import Shop
from tests.support.fault_proxy import Proxy, proxied

Ask = Callable[..., dict[str, tuple[bool | None, str]]]


@contextmanager
def told(github: str, scopes: str | None, **repository: Any) -> Iterator[Proxy]:
    """A GitHub that tells a token's scopes, and what is said of a repository."""

    def serve(verb: str, target: str, body: bytes, token: str) -> Any:
        path = target.partition("?")[0]
        if verb != "GET" or (path != "/user" and path.count("/") != 3):
            return None
        asked = urllib.request.Request(f"{github}{path}", headers={"Authorization": f"token {token}"})
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                there = json.load(answer)
        except HTTPError as error:
            error.close()
            return None
        headers = {} if scopes is None else {"X-OAuth-Scopes": scopes}
        return 200, there if path == "/user" else {**there, **repository}, headers

    with proxied(github, serve=serve) as proxy:
        yield proxy


@pytest.fixture
def ask(github: str, shop: Shop) -> Ask:
    def asked(scopes: str | None, *, place: bool = False, **repository: Any) -> Any:
        with told(github, scopes, **repository) as proxy:
            toolkit = GitHubToolkit(Github(base_url=proxy.url, auth=Auth.Token("bot-1"), retry=None))
            found = toolkit.abilities(shop.repo if place else None)
            assert proxy.offered == [], "nothing is tried by writing"
        assert [one.operation for one in found] == [op.name for op in GitHubToolkit.operations]
        return {one.operation: (one.able, one.said) for one in found}

    return asked


ROLE = {"admin": False, "maintain": False, "push": True, "triage": True, "pull": True}


def test_a_classic_token_tells_its_scopes(ask: Ask) -> None:
    said = ask("repo, gist")
    assert said["github.issues.create"][0] is True
    assert said["github.repos.create"] == (False, "needs the scope delete_repo"), (
        "it could do it, and not undo it"
    )
    assert said["github.repos.delete"] == (False, "needs the scope delete_repo")
    assert ask("repo, delete_repo")["github.repos.create"][0] is True


def test_a_token_without_scopes_reads_what_is_public(ask: Ask) -> None:
    said = ask("")
    assert said["github.issues.create"] == (False, "needs the scope repo")
    assert said["github.issues.get"][0] is None


def test_a_token_for_what_is_public_depends_on_the_repository(ask: Ask) -> None:
    assert ask("public_repo")["github.issues.create"][0] is None
    assert ask("public_repo", place=True, permissions=ROLE)["github.issues.create"][0] is True
    said = ask("public_repo", place=True, permissions=ROLE, private=True)
    assert said["github.issues.create"] == (False, "needs the scope repo")


def test_other_credentials_do_not_say_and_nobody_guesses(ask: Ask) -> None:
    said = ask(None)
    assert {able for able, _ in said.values()} == {None}
    assert "issues: write" in said["github.issues.create"][1]


def test_a_repository_shows_what_the_account_may_not(ask: Ask) -> None:
    said = ask(None, place=True, permissions=ROLE)
    assert said["github.repos.update"] == (False, "needs an administrator of the repository")
    assert said["github.files.create"][0] is None
    said = ask("repo", place=True, permissions={**ROLE, "push": False})
    assert said["github.files.create"] == (False, "needs write access to the repository")
    assert said["github.issues.update"][0] is None
    assert said["github.issues.get"][0] is True
    said = ask("repo", place=True, permissions=ROLE, archived=True)
    assert said["github.issues.create"] == (False, "needs a repository that is not archived")


def test_the_doctor_shows_it(github: str, shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("GITHUB_TOKEN", "bot-1")
    with told(github, "repo", permissions=ROLE) as proxy:
        monkeypatch.setenv("GITHUB_API_URL", proxy.url)
        result = CliRunner().invoke(app, ["doctor", "--repo", shop.repo])
        lines = {tuple(line.split(maxsplit=2)) for line in result.stdout.splitlines()}
        assert result.exit_code == 0, result.output
        assert ("yes", "github.issues.create") in lines
        assert ("no", "github.repos.update", "needs an administrator of the repository") in lines
        missing = CliRunner().invoke(app, ["doctor", "--repo", "bot/nowhere"])
        assert "do not see it" in missing.stdout
        assert "bot-1" not in result.stdout + missing.stdout


def test_the_doctor_asks_the_clients_of_an_application(
    github: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "shop_with_hub.py").write_text(
        "from github import Auth, Github\nfrom langchain_agentrein import AgentRein\n"
        f"hub = Github(base_url={github!r}, auth=Auth.Token('bot-2'), retry=None)\n"
        "rein = AgentRein('sqlite:///shop.db', clients={'github': hub})\n"
    )
    result = CliRunner().invoke(app, ["--app", "shop_with_hub:rein", "doctor"], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "cannot tell  github.issues.create" in result.stdout


def test_credentials_that_open_nothing_are_told(github: str) -> None:
    toolkit = GitHubToolkit(Github(base_url="http://localhost:9", auth=Auth.Token("bot-1"), retry=None))
    with pytest.raises(NotDone, match="out of reach"):
        toolkit.abilities()
