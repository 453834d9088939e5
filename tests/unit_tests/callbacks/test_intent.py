"""The handler hears what a model says, streamed or not, and never raises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import Generation, LLMResult

from langchain_agentrein import IntentCallbackHandler, intent
from langchain_agentrein.intent import captured
from tests.support.models import says, scripted_model


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Nothing was heard before, and nothing stays."""
    intent._heard.clear()
    yield
    intent._heard.clear()


class Runs(BaseCallbackHandler):
    """Notes the ids of the model's runs."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def on_llm_end(self, response: Any, *, run_id: Any, **_: Any) -> None:
        self.ids.append(str(run_id))


def turn() -> Any:
    message = says("I act", ("act", {"n": 1}), reasoning="they asked for it")
    message.tool_calls[0]["id"] = "call_1"
    return message


@pytest.mark.parametrize("how", ["invoke", "stream", "ainvoke", "astream"])
async def test_it_hears_the_reason_and_the_run(how: str) -> None:
    runs = Runs()
    model, config = scripted_model(turn()), {"callbacks": [IntentCallbackHandler(), runs]}
    if how == "invoke":
        model.invoke("go", config)
    elif how == "stream":
        list(model.stream("go", config))
    elif how == "ainvoke":
        await model.ainvoke("go", config)
    else:
        [chunk async for chunk in model.astream("go", config)]
    heard = captured("call_1")
    assert heard is not None
    assert (heard.text, heard.source, [heard.run_id]) == ("they asked for it", "reasoning", runs.ids)


def test_it_keeps_as_much_as_it_is_told() -> None:
    scripted_model(turn()).invoke("go", {"callbacks": [IntentCallbackHandler(limit=11)]})
    assert getattr(captured("call_1"), "text", None) == "the ...  it"
    scripted_model(turn()).invoke("go", {"callbacks": [IntentCallbackHandler(enabled=False)]})
    heard = captured("call_1")
    assert heard is not None
    assert heard.text == ""
    assert heard.run_id is not None


def test_it_passes_over_what_calls_no_tool() -> None:
    scripted_model("hello").invoke("go", {"callbacks": [IntentCallbackHandler()]})
    IntentCallbackHandler().on_llm_end(LLMResult(generations=[[Generation(text="x")]]), run_id=uuid4())
    assert not intent._heard
