"""How the toolkit is made, and what it offers."""

from __future__ import annotations

import subprocess
import sys

import pytest
from github import Auth, Github

from langchain_agentrein import ConfigError
from langchain_agentrein.toolkits import GitHubToolkit
from langchain_agentrein.toolkits.github import Hub
from langchain_agentrein.toolkits.github.hub import hub_of
from tests.integration_tests.toolkits.github.table import PAGE, PROXY, page, proxy_page


def test_the_pages_tell_what_the_operations_declare() -> None:
    for path, renewed in ((PAGE, page), (PROXY, proxy_page)):
        now = path.read_text()
        assert renewed(now) == now, f"{path.name} is out of date: run `make operations`"


def test_the_environment_gives_a_client(github: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    with pytest.raises(ConfigError, match="GITHUB_TOKEN"):
        GitHubToolkit.from_env()
    monkeypatch.setenv("GITHUB_TOKEN", "bot-0")
    monkeypatch.setenv("GITHUB_API_URL", github)
    toolkit = GitHubToolkit.from_env()
    assert toolkit.client.account() == f"{github.removeprefix('http://')}/bot"
    assert "bot-0" not in repr(toolkit)


def test_reading_tools_alone(api: Hub) -> None:
    names = {tool.name for tool in GitHubToolkit(api, read_only=True).get_tools()}
    assert "github_issues_get" in names
    assert "github_issues_create" not in names


def test_a_client_keeps_its_hub_and_is_not_changed() -> None:
    client = Github(auth=Auth.Token("secret"))
    retry = client.requester.kwargs["retry"]
    assert hub_of(client) is hub_of(client)
    assert client.requester.kwargs["retry"] is retry
    assert "POST" in retry.allowed_methods


def test_without_the_sdk_it_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['github'] = None\n"
        "import langchain_agentrein.toolkits as toolkits\n"
        "toolkits.FilesToolkit\n"
        "try:\n    toolkits.GitHubToolkit\n"
        "except ImportError as error:\n    print(error)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "pip install 'langchain-agentrein[github]'" in said
