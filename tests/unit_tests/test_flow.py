"""The only fork between sync and async: no cancellation loses a receipt."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable
from typing import Any

import pytest

from langchain_agentrein import Action, AgentRein, ConfigError, Status
from langchain_agentrein.flow import Flow, NotBegun, Sleep, Step, adriven, arun, driven, run
from tests.support.driving import SESSION, ado, do, opened
from tests.support.world import Async, Blind, Put, Slow, World


async def until(condition: Callable[[], Any], timeout: float = 10.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


def only(rein: AgentRein) -> Action:
    [action] = rein.actions(session=SESSION)
    return action


def adding(*steps: Step | Sleep) -> Flow[list[Any]]:
    found = []
    for step in steps:
        found.append((yield step))
    return found


async def awaited(value: int) -> int:
    await asyncio.sleep(0)
    return value


def test_run_calls_each_step() -> None:
    assert run(adding(Step(max, (1, 2)), Sleep(0), Step(lambda: 3))) == [2, None, 3]


async def test_arun_calls_and_awaits() -> None:
    steps = (Step(max, (1, 2)), Step(awaited, (3,)), Sleep(0), Step(lambda: awaited(4)))
    assert await arun(adding(*steps)) == [2, 3, None, 4]


@pytest.mark.parametrize("step", [Step(awaited, (1,)), Step(lambda: awaited(1))])
def test_run_refuses_what_must_be_awaited(step: Step) -> None:
    with pytest.raises(ConfigError, match="use the async twin"):
        run(adding(step))


@pytest.mark.parametrize("threaded", [False, True])
async def test_errors_arrive_in_the_flow_and_at_the_caller(threaded: bool) -> None:
    def flow() -> Flow[str]:
        with pytest.raises(ZeroDivisionError):
            yield Step(lambda: 1 // 0)
        yield Step(lambda: int("x"))
        return "never"

    with pytest.raises(ValueError, match="invalid literal"):
        await arun(flow(), threaded=threaded)
    with pytest.raises(ValueError, match="invalid literal"):
        run(flow())


async def test_steps_see_the_context_of_their_caller() -> None:
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(7)
    assert await arun(adding(Step(variable.get))) == [7]
    assert await arun(adding(Step(variable.get)), threaded=True) == [7]


async def test_a_cancelled_flow_begins_no_effect() -> None:
    met: list[BaseException] = []
    started = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow() -> None:
        loop.call_soon_threadsafe(started.set)
        time.sleep(0.1)

    def flow() -> Flow[None]:
        yield Step(slow)
        try:
            yield Step(lambda: met.append(AssertionError()), effect=True)
        except BaseException as error:
            met.append(error)
            raise

    task = asyncio.create_task(arun(flow()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [type(error) for error in met] == [NotBegun]


# -- actions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("threaded", [False, True])
async def test_a_cancellation_in_the_middle_of_a_threads_effect_waits_for_its_receipt(
    rein: AgentRein, world: World, threaded: bool
) -> None:
    task = asyncio.create_task(ado(rein, Slow(thing="a"), world, threaded=threaded))
    await until(lambda: world.knob("reached") == "in slow")
    task.cancel()
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.count("do") == 1
    assert only(rein).status is Status.EXECUTED
    assert only(rein).receipt == {"thing": "a"}


async def test_a_cancellation_in_the_middle_of_an_async_effect_waits_for_its_receipt(
    rein: AgentRein, world: World
) -> None:
    task = asyncio.create_task(ado(rein, Async(thing="a"), world))
    await until(lambda: world.knob("reached") == "in async")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert only(rein).status is Status.EXECUTED


async def test_an_async_effect_that_does_not_end_is_in_doubt(rein: AgentRein, world: World) -> None:
    task = asyncio.create_task(ado(rein, Async(thing="a", pause=30), world, settle_timeout=0.1))
    await until(lambda: world.knob("reached") == "in async")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert only(rein).status is Status.IN_DOUBT


@pytest.mark.parametrize("threaded", [False, True])
async def test_a_threads_effect_that_takes_too_long_is_recorded_when_it_lands(
    rein: AgentRein, world: World, threaded: bool
) -> None:
    flow = ado(rein, Slow(thing="a", pause=0.3), world, threaded=threaded, settle_timeout=0.05)
    task = asyncio.create_task(flow)
    await until(lambda: world.knob("reached") == "in slow")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert only(rein).status is Status.EXECUTING, "it is under way, and held"
    await until(lambda: only(rein).status is Status.EXECUTED)


async def test_a_cancellation_before_the_effect_leaves_nothing_in_doubt(
    rein: AgentRein, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = rein.journal.begin

    def slow_begin(*args: Any, **options: Any) -> Action:
        begun = begin(*args, **options)
        world.set("reached", "begun")
        time.sleep(0.2)
        return begun

    monkeypatch.setattr(rein.journal, "begin", slow_begin)
    task = asyncio.create_task(ado(rein, Blind(thing="a"), world))
    await until(lambda: world.knob("reached") == "begun")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.count("do") == 0
    assert only(rein).status is Status.FAILED, "certainly not done: nobody has to look"


async def test_siblings_that_are_cancelled_are_recorded(rein: AgentRein, world: World) -> None:
    async def fails() -> None:
        await until(lambda: world.knob("reached") == "in async")
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(ado(rein, Async(thing="a"), world))
            group.create_task(fails())
    assert only(rein).status is Status.EXECUTED


async def test_a_timeout_waits_for_the_receipt(rein: AgentRein, world: World) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ado(rein, Async(thing="a"), world), timeout=0.05)
    assert only(rein).status is Status.EXECUTED


@pytest.mark.parametrize(
    ("op", "threaded"), [(Slow(thing="a"), False), (Slow(thing="a"), True), (Async(thing="a"), False)]
)
def test_a_loop_that_shuts_down_loses_nothing(
    sqlite_url: str, world: World, op: Slow | Async, threaded: bool
) -> None:
    with opened(sqlite_url, world) as rein:

        async def main() -> None:
            task = asyncio.create_task(ado(rein, op, world, threaded=threaded))
            await until(lambda: world.knob("reached") in ("in slow", "in async"))
            del task

        asyncio.run(main())
        done = world.count("do") == 1
        assert only(rein).status in ({Status.EXECUTED, Status.IN_DOUBT} if done else {Status.IN_DOUBT})
        assert done or isinstance(op, Async), "a thread's effect lands, and is recorded"


async def test_a_cancelled_rollback_ends_the_undo_under_way_and_begins_no_other(
    rein: AgentRein, world: World
) -> None:
    for thing in "abc":
        do(rein, Put(thing=thing, fields={"x": 1}), world)
    world.set("wait", "before undo")
    task = asyncio.create_task(rein.arollback(session=SESSION))
    await until(lambda: world.knob("reached") == "before undo")
    task.cancel()
    world.set("wait", None)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.events("undo") == [("undo", "c")]
    assert [line.outcome for line in await rein.arecover()] == ["restored", "restored"]
    assert world.events("undo") == [("undo", name) for name in "cba"]


async def test_an_async_operation_is_undone_by_the_async_twin_alone(rein: AgentRein, world: World) -> None:
    await ado(rein, Async(thing="a"), world)
    [line] = await asyncio.to_thread(rein.rollback, session=SESSION)
    assert line.outcome == "stuck"
    assert line.error is not None
    assert "use the async twin" in line.error
    [line] = await rein.arollback(session=SESSION)
    assert line.outcome == "compensated"


async def test_parallel_async_actions_each_have_their_place(rein: AgentRein, world: World) -> None:
    await asyncio.gather(*(ado(rein, Async(thing=f"t{n}", pause=0.01), world) for n in range(8)))
    assert [action.seq for action in rein.actions(session=SESSION)] == list(range(1, 9))
    assert (await rein.averify()).ok


# -- twins -------------------------------------------------------------------------------------------


class Twins:
    """A method in two forms."""

    def _add(self, one: int, *, other: int = 1) -> Flow[int]:
        """Add."""
        total: int = yield Step(lambda: one + other)
        return total

    add = driven(_add)
    aadd = adriven(_add)


async def test_twins_are_one_method() -> None:
    assert Twins().add(1) == await Twins().aadd(1) == 2
    assert (Twins.add.__name__, Twins.aadd.__name__) == ("add", "aadd")
    assert Twins.add.__doc__ == Twins.aadd.__doc__ == "Add."
