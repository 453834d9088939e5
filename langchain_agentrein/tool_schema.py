"""What the model and LangGraph see of a wrapped tool: its schema, and our two arguments beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from langchain_core.tools import ArgsSchema, BaseTool, InjectedToolArg, Tool
from langgraph.prebuilt import ToolRuntime
from langgraph.prebuilt.tool_node import _get_all_injected_args
from pydantic import BaseModel, ConfigDict, Field, create_model

from langchain_agentrein.operation import Operation

RUNTIME = "agentrein_runtime"
"""The hidden argument in which LangGraph hands us the state and the config of the call."""
RATIONALE = "rationale"
"""The argument in which a model may say why; journaled, never passed on."""
_WHY = "Why you make this call, in one sentence."

_Injected = Annotated[Any, InjectedToolArg, ToolRuntime]
"""LangGraph injects what is annotated so, and hides it from the model. `Any`: nothing is to be validated."""


def runtime_argument(inner: BaseTool | None) -> str | None:
    """The argument in which a tool has LangGraph's runtime injected already: LangGraph fills only one."""
    if inner is None:
        return None
    try:
        return _get_all_injected_args(inner).runtime
    except Exception:  # noqa: BLE001 - annotations that cannot be resolved: LangGraph will say so itself
        return None


def tied(inner: BaseTool) -> str:
    """Why a tool cannot be run after its graph has ended; empty: it can."""
    try:
        names = set(_get_all_injected_args(inner).all_injected_keys)
    except Exception:  # noqa: BLE001 - annotations that cannot be resolved: LangGraph will say so itself
        names = set(inner._injected_args_keys)
    if runtime := runtime_argument(inner):
        names.add(runtime)
    return f"it takes {', '.join(sorted(names))} from the running graph" if names else ""


def injection_schema(base: type[Any], inner: BaseTool) -> type[Any]:
    """The schema in which LangGraph looks for what to inject: `base`, and our argument.

    Args:
        base: What the wrapped tool shows there.
    """
    if runtime_argument(inner) is not None:
        return base
    extra: dict[str, Any] = {RUNTIME: (_Injected, None)}
    extended: type[BaseModel]
    if isinstance(inner.args_schema, dict):
        extended = create_model(inner.name, __config__=ConfigDict(extra="allow"), **extra)
        return extended
    if issubclass(base, BaseModel):
        extended = create_model(base.__name__, __base__=base, __doc__=base.__doc__, **extra)
        return extended
    return base  # a model of pydantic 1: the state is then read through the config


def operation_schema(
    operation: type[Operation], name: str, description: str, *, rationale: bool, hidden: bool = True
) -> type[BaseModel]:
    """A connector's operation as a plain model: a subclass would be registered as an operation of its own."""
    fields: dict[str, Any] = {
        field: (info.annotation, info) for field, info in operation.model_fields.items()
    }
    if rationale:
        fields[RATIONALE] = _rationale_field()
    if hidden:
        fields[RUNTIME] = (_Injected, None)
    config = ConfigDict(extra="forbid", populate_by_name=True, arbitrary_types_allowed=True)
    return create_model(name, __config__=config, __doc__=description, **fields)


def call_schema(inner: BaseTool, *, rationale: bool) -> ArgsSchema:
    """What the model sees: what it saw before, and `rationale` where that is asked for."""
    shown: ArgsSchema = inner.tool_call_schema
    if isinstance(inner, Tool) and not inner.args_schema:
        # LangChain shows such a tool by its class, which a wrapper does not have.
        single = {"__arg1": {"title": "__arg1", "type": "string"}}
        shown = {"properties": single, "required": ["__arg1"], "type": "object"}
    if not rationale:
        return shown
    if isinstance(shown, type) and issubclass(shown, BaseModel):
        # Not a subclass: LangChain's cache of the JSON schema would answer for it.
        fields: dict[str, Any] = {name: (info.annotation, info) for name, info in shown.model_fields.items()}
        config = ConfigDict(arbitrary_types_allowed=True)
        asking: type[BaseModel] = create_model(
            shown.__name__,
            __config__=config,
            __doc__=shown.__doc__,
            **fields,
            **{RATIONALE: _rationale_field()},
        )
        return asking
    schema: Mapping[str, Any] = shown if isinstance(shown, Mapping) else shown.schema()
    asked = {"type": "string", "description": _WHY}
    return {**schema, "properties": {**schema.get("properties", {}), RATIONALE: asked}}


def _rationale_field() -> Any:
    return (str | None, Field(default=None, description=_WHY))


def has_argument(schema: ArgsSchema | None, name: str) -> bool:
    """Whether a tool has an argument of this name itself."""
    if isinstance(schema, dict):
        return name in (schema.get("properties") or {})
    fields = getattr(schema, "model_fields", None)
    if fields is None:
        fields = getattr(schema, "__fields__", None)  # pydantic 1
    return name in (fields or {})
