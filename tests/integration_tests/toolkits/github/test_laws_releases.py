"""The laws, kept by releases; their tags and their files."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_agentrein import AgentRein, NotDone, Risk, Status
from langchain_agentrein.action import UndoEffect
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.github import Hub, release_deletion, releases
from langchain_agentrein.toolkits.github.release_deletion import DeleteRelease
from langchain_agentrein.toolkits.github.releases import CreateRelease, UpdateRelease
from tests.integration_tests.toolkits.github import makers
from tests.integration_tests.toolkits.github.driving import back, call
from tests.integration_tests.toolkits.github.test_laws import GitHubLaws, GitHubReads
from tests.integration_tests.toolkits.github.world import Shop
from tests.support.fault_proxy import Fault, Proxy


def only(shop: Shop) -> str:
    """The API's path of the one release."""
    [one] = shop._all("releases")
    return shop.at("releases", one["id"])


class TestCreateRelease(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return makers.released(shop)

    def foreign_edit(self, api: Any) -> bool:
        self.shop.ana.send("PATCH", only(self.shop), {"name": "Theirs"})
        return True

    def foreign_addition(self, api: Any) -> bool:
        self.shop.upload(int(only(self.shop).rpartition("/")[2]), "app.zip", b"theirs")
        return True


class TestUpdateRelease(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        shop.also.add("releases")
        body = "what is new\n\n<!-- agentrein:0123456789abcdef01234567 -->"
        given: Any = {"title": "One", "body": "other", "prerelease": True}
        return UpdateRelease(repo=shop.repo, release_id=shop.release("v1", body=body), **given)

    def foreign_edit(self, api: Any) -> bool:
        self.shop.ana.send("PATCH", only(self.shop), {"name": "Theirs"})
        return True

    def keeps(self, theirs: Any, now: Any) -> bool:
        return bool(now["releases"]["v1"][0] == "Theirs")


class TestDeleteRelease(GitHubLaws):
    """With its files: the stand-in gives what the emulator does not keep."""

    @pytest.fixture
    def api(self, through: Hub) -> Hub:
        return through

    @pytest.fixture
    def operation(self, shop: Shop, proxy: Proxy) -> Operation:
        operation = makers.revoked(shop)
        assert isinstance(operation, DeleteRelease)
        for name, content in (("a.txt", b"one"), ("b.txt", b"")):
            asset = shop.upload(operation.release_id, name, content)
            proxy.answers["GET " + shop.at("releases", "assets", asset)] = lambda content=content: content
        return operation


class ReleaseReads(GitHubReads):
    @pytest.fixture
    def release(self, shop: Shop) -> int:
        release = shop.release("v1")
        shop.upload(release, "app.zip", b"zip")
        return release


class TestListReleases(ReleaseReads):
    @pytest.fixture
    def operation(self, shop: Shop, release: int) -> Operation:
        return releases.ListReleases(repo=shop.repo)


class TestGetRelease(ReleaseReads):
    @pytest.fixture
    def operation(self, shop: Shop, release: int) -> Operation:
        return releases.GetRelease(repo=shop.repo, tag="v1")

    def test_by_id_as_well(self, shop: Shop, release: int, operation: Operation) -> None:
        said = operation.do(shop.hub, None)  # type: ignore[arg-type]
        assert said["files"] == [{"name": "app.zip", "size": 3}]
        assert releases.GetRelease(repo=shop.repo, release_id=release).do(shop.hub, None) == said  # type: ignore[arg-type]
        with pytest.raises(NotDone, match="or its tag"):
            releases.GetRelease(repo=shop.repo).do(shop.hub, None)  # type: ignore[arg-type]


# -- tags ------------------------------------------------------------------------------------------


@pytest.fixture
def tagging(shop: Shop, proxy: Proxy) -> None:
    """GitHub makes the tag of a release, if there is none; the emulator does not."""

    def post(**given: Any) -> Any:
        made = shop.hub.send("POST", shop.at("releases"), given)
        if not given["draft"] and f"refs/tags/{given['tag_name']}" not in shop._tags():
            shop.tag(given["tag_name"])
        return made

    proxy.answers["POST " + shop.at("releases")] = post


@pytest.mark.usefixtures("tagging")
@pytest.mark.parametrize("fault", [None, Fault("swallow"), Fault("swallow", skip=1)])
def test_the_tag_that_it_made_goes_along(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, fault: Fault | None
) -> None:
    operation = makers.released(shop)
    before = shop.state()
    session = call(rein, operation, through)
    assert len(shop.state()["tags"]) == 1
    proxy.fault = fault
    assert back(rein, session).status is Status.COMPENSATED
    assert shop.state() == before


@pytest.mark.usefixtures("tagging")
def test_a_tag_that_was_there_stays(shop: Shop, through: Hub, rein: AgentRein) -> None:
    operation = makers.released(shop)
    shop.tag("v1")
    before = shop.state()
    session = call(rein, operation, through)
    assert back(rein, session).status is Status.COMPENSATED
    assert shop.state() == before


@pytest.mark.usefixtures("tagging")
def test_a_tag_that_somebody_moved_is_a_conflict(shop: Shop, through: Hub, rein: AgentRein) -> None:
    session = call(rein, makers.released(shop), through)
    shop.file("other.txt", "theirs")
    tip = shop.state()["branches"]["main"]
    shop.ana.send("PATCH", shop.at("git", "refs", "tags", "v1"), {"sha": tip, "force": True})
    before = shop.state()
    action = back(rein, session)
    assert action.status is Status.CONFLICT
    assert "points" in action.undo.error
    assert shop.state() == before

    rein.rollback(session=session.id, approve=[action.id], by="ana", on_conflict="force")
    [action] = session.actions()
    assert action.status is Status.COMPENSATED, action.undo
    assert action.undo.residue[-1] == f"the tag v1 stays: somebody has moved it to {tip}"
    assert shop.state()["tags"] == before["tags"]


def test_what_is_of_a_tag_already_is_refused(shop: Shop) -> None:
    shop.release("v1")
    with pytest.raises(NotDone, match="a release of v1 already"):
        makers.released(shop).snapshot(shop.hub)


def test_what_a_draft_can_do(shop: Shop) -> None:
    draft = CreateRelease(repo=shop.repo, tag="v1", draft=True).assess(None)
    assert (draft.risk, draft.undo_effects) == (Risk.MEDIUM, frozenset())
    public = CreateRelease(repo=shop.repo, tag="v1").assess(None)
    assert (public.risk, public.undo_effects) == (Risk.HIGH, {UndoEffect.TRIGGERS_AUTOMATION})
    hidden = UpdateRelease(repo=shop.repo, release_id=1, draft=True).assess(None)
    assert UndoEffect.PUBLISHES in hidden.undo_effects


@pytest.mark.parametrize(("was", "said"), [(True, "its tag stays"), (False, "another for a while")])
def test_publishing_and_hiding(shop: Shop, through: Hub, rein: AgentRein, was: bool, said: str) -> None:
    shop.also.add("releases")
    release = shop.release("v1", draft=was)
    before = shop.state()
    session = call(rein, UpdateRelease(repo=shop.repo, release_id=release, draft=not was), through)
    assert shop.state() != before
    action = back(rein, session)
    assert said in action.undo.residue[0]
    assert shop.state() == before


# -- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("nth", range(4))
def test_published_again_once_with_its_files(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, nth: int
) -> None:
    """The draft, two files, the publication: whichever reply is lost."""
    operation = makers.revoked(shop)
    assert isinstance(operation, DeleteRelease)
    for name in ("a.txt", "b.txt"):
        asset = shop.upload(operation.release_id, name, b"kept")
        proxy.answers["GET " + shop.at("releases", "assets", asset)] = lambda: b"kept"
    before = shop.state()
    session = call(rein, operation, through)
    assert session.actions()[0].before["latest"] is True
    proxy.writes.clear()
    proxy.fault = Fault("swallow", skip=nth)

    action = back(rein, session)

    assert proxy.fault is None
    assert action.status is Status.COMPENSATED
    assert shop.state() == before
    assert len(proxy.writes) == 4


def test_large_files_are_lost_and_named(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release_deletion, "KEPT", 10)
    monkeypatch.setattr(release_deletion, "KEPT_TOGETHER", 15)
    operation = makers.revoked(shop)
    assert isinstance(operation, DeleteRelease)
    for name, size in (("small", 10), ("large", 11), ("too many", 6), ("last", 5), ("damaged", 0)):
        asset = shop.upload(operation.release_id, name, b"x" * size)
        content = b"x" * (size or 9)
        proxy.answers["GET " + shop.at("releases", "assets", asset)] = lambda content=content: content
    session = call(rein, operation, through)
    action = back(rein, session)
    assert action.status is Status.COMPENSATED
    assert shop.state()["releases"]["v1"][-1] == ["last", "small"]
    assert sum("is lost" in said for said in action.undo.residue) == 3
    assert "its file large (11 bytes) was not kept, and is lost" in action.undo.residue


def test_what_others_released_of_the_tag_since_stays(shop: Shop, through: Hub, rein: AgentRein) -> None:
    session = call(rein, makers.revoked(shop), through)
    shop.release("v1", name="Theirs")
    before = shop.state()
    action = back(rein, session)
    assert action.status is Status.CONFLICT
    assert "there is another release of v1" in action.undo.error
    assert shop.state() == before


def test_a_tag_that_moved_since_is_not_released(shop: Shop, through: Hub, rein: AgentRein) -> None:
    session = call(rein, makers.revoked(shop), through)
    shop.file("other.txt", "theirs")
    tip = shop.state()["branches"]["main"]
    shop.ana.send("PATCH", shop.at("git", "refs", "tags", "v1"), {"sha": tip, "force": True})
    action = back(rein, session)
    assert action.status is Status.CONFLICT
    assert f"v1 points to {tip} by now" in action.undo.error


def test_a_draft_that_looks_the_same_is_another(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein
) -> None:
    """GitHub has several drafts of one tag; the emulator does not."""
    operation = DeleteRelease(repo=shop.repo, release_id=shop.release("v1", draft=True))
    twin = {**shop.ana.get(only(shop)), "id": 999_999}
    proxy.answers["GET " + shop.at("releases")] = lambda: [twin, *shop.hub.get(shop.at("releases"))]
    session = call(rein, operation, through)
    assert back(rein, session).status is Status.COMPENSATED
    assert shop.ana.get(only(shop))["draft"] is True


def test_a_file_is_not_fetched_from_any_host(shop: Shop, proxy: Proxy, through: Hub) -> None:
    asset = shop.upload(shop.release("v1"), "app.zip", b"zip")
    proxy.fault = Fault("answer", 302, {"Location": "http://elsewhere.example/app.zip"}, reads=True)
    with pytest.raises(NotDone, match="elsewhere"):
        through.download(shop.at("releases", "assets", asset), 10)
