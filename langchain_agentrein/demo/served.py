"""The demo's agent for LangGraph's server; `langgraph.json` names it.

`AGENTREIN_DEMO` is the shop's folder, made when it is not there; `AGENTREIN_JOURNAL` the journal, instead of the
shop's own; `AGENTREIN_MODEL` a model by `provider:name`, instead of the script.
"""

from __future__ import annotations

import os
from pathlib import Path

from langchain_agentrein.demo.agent import open_desk, real_model
from langchain_agentrein.demo.script import clean_up
from langchain_agentrein.demo.scripted import ScriptedModel
from langchain_agentrein.demo.shop import Shop

shop = Shop(Path(os.environ.get("AGENTREIN_DEMO", ".langgraph_api/shop")).absolute())
if not shop.database.exists():
    shop.build()
_model = os.environ.get("AGENTREIN_MODEL")
desk = open_desk(
    shop,
    real_model(_model) if _model else ScriptedModel(script=clean_up),
    journal_url=os.environ.get("AGENTREIN_JOURNAL"),
    served=True,
)
rein, graph = desk.rein, desk.agent
"""What `agentrein --app langchain_agentrein.demo.served:rein` and the server look for."""
