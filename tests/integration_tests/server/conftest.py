"""The real server, once for a module, and what the tests say to it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client, get_sync_client
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient

from langchain_agentrein import Action, AgentRein
from tests.support.langgraph_server import Server
from tests.support.world import World

GRAPHS = {
    "agent": "tests.support.served:agent",
    "reversible": "tests.support.served:reversible_agent",
    "by_hand": "tests.support.served:by_hand",
}
AUTH = {"path": "tests.support.served:auth"}


@dataclass
class Served:
    """A server with the small world behind it, and its journal as another process sees it."""

    server: Server
    world: World
    journal_url: str
    rein: AgentRein
    _clients: dict[str, SyncLangGraphClient] = field(default_factory=dict)

    def client(self, user: str = "ana") -> SyncLangGraphClient:
        if user not in self._clients:
            headers = {"Authorization": f"Bearer {user}"}
            self._clients[user] = get_sync_client(url=self.server.url, headers=headers)
        return self._clients[user]

    def forget_clients(self) -> None:
        """The server has another port, or none."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def close(self) -> None:
        """End the server, and whatever speaks with it."""
        self.forget_clients()
        self.server.stop()
        self.rein.close()

    def async_client(self, user: str = "ana") -> LangGraphClient:
        return get_client(url=self.server.url, headers={"Authorization": f"Bearer {user}"})

    def chat(self, graph: str = "agent", user: str = "ana") -> Chat:
        return Chat(self, graph, self.client(user))


@dataclass
class Chat:
    """A thread of the server's, as one user's program drives it."""

    served: Served
    graph: str
    client: SyncLangGraphClient
    id: str = ""
    name: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def __post_init__(self) -> None:
        self.id = self.id or self.client.threads.create()["thread_id"]

    def thing(self, name: str) -> str:
        """A thing of this chat's own: the module's tests share a world."""
        return f"{name}-{self.name}"

    def say(self, *turns: Any, **options: Any) -> Any:
        """Have the agent do this, turn by turn; a failed run is told by `status`."""
        return self._wait(input=message(*turns), **options)

    def answer(self, *decisions: Any, user: str = "ana", **options: Any) -> Any:
        """Resume, as `user`."""
        by = Chat(self.served, self.graph, self.served.client(user), self.id)
        return by._wait(command={"resume": {"decisions": list(decisions)}}, **options)

    def _wait(self, **options: Any) -> Any:
        return self.client.runs.wait(self.id, self.graph, raise_error=False, **options)

    @property
    def status(self) -> str:
        """`idle`, `interrupted` or `error`, as the server sees the thread."""
        return str(self.client.threads.get(self.id)["status"])

    @property
    def runs(self) -> list[str]:
        """How its runs ended, the newest first."""
        return [str(run["status"]) for run in self.client.runs.list(self.id)]

    @property
    def state(self) -> Any:
        return self.client.threads.get_state(self.id)

    @property
    def asked(self) -> Any:
        """The one request that waits."""
        [interrupt] = self.state["interrupts"]
        [request] = interrupt["value"]["action_requests"]
        return request

    @property
    def actions(self) -> list[Action]:
        return self.served.rein.actions(thread=self.id)

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        return [(action.operation, str(action.status)) for action in self.actions]


def message(*turns: Any) -> Any:
    """The input that has the agent do this: each turn a list of calls."""
    return {"messages": [{"role": "user", "content": json.dumps(turns)}]}


def put(thing: str, **fields: Any) -> list[Any]:
    """A turn that puts fields of a thing."""
    return [["world_put", {"thing": thing, "fields": fields or {"n": 1}}]]


def make(directory: Path, journal_url: str) -> Served:
    """The parts, the server not yet started."""
    world = World(directory / "world.db")
    server = Server(
        directory,
        {"dependencies": ["."], "graphs": GRAPHS, "auth": AUTH},
        SERVED_WORLD=str(world.path),
        AGENTREIN_JOURNAL=journal_url,
    )
    rein = AgentRein(journal_url, clients={"world": world}, backoff=0.01)
    return Served(server, world, journal_url, rein)


def serving(directory: Path, journal_url: str) -> Iterator[Served]:
    """Start it; in the end the journal must verify, and nothing may have blocked the server's loop."""
    made = make(directory, journal_url)
    made.server.start()
    try:
        yield made
        assert made.rein.verify().ok
    finally:
        made.close()
    assert not made.server.blocking.exists(), made.server.blocking.read_text()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A running server, its journal on SQLite."""
    directory = tmp_path_factory.mktemp("server")
    yield from serving(directory, f"sqlite:///{directory}/journal.db")
