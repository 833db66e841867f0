"""What the endpoint is measured beside: the same function behind MLflow's own server, and behind a bare FastAPI app."""

import gc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from fastapi import FastAPI, Request, Response

from features.histories import latest_knowledge
from features.tables import check_tables
from serving.answers import score_histories
from serving.api import parse
from serving.models import load_champion
from serving.requests import tables_of
from serving.schemas import ScoreRequest
from serving.scoring import score_tables


class Answerer:
    """Bodies to answers, in one process: what every contender calls."""

    def __init__(self) -> None:
        self.model = load_champion()

    def answer(self, body: bytes) -> str:
        """The answer to a body of /score."""
        request = parse(body, ScoreRequest)
        return score_histories(request, self.model, pd.Timestamp.now("UTC")).model_dump_json()

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> list[str]:
        """What MLflow calls: a frame of bodies in, answers out."""
        return [self.answer(body.encode()) for body in model_input["body"]]


class Framed:
    """The same answers by frames: the pipeline that batches go through, as a pyfunc is usually made of one."""

    def __init__(self) -> None:
        self.model = load_champion()

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> list[str]:
        """What MLflow calls: a frame of bodies in, score frames out."""
        return [self._answer(body.encode()) for body in model_input["body"]]

    def _answer(self, body: bytes) -> str:
        tables = check_tables(tables_of(parse(body, ScoreRequest).histories))
        now = pd.Timestamp.now("UTC")
        frame = score_tables(tables, self.model, latest_knowledge(tables, now), imported_at=now)
        return str(frame.to_json(orient="records", date_format="iso"))


#: What a model's data folder is called, and what answers for it.
PYFUNCS: dict[str, type[Answerer] | type[Framed]] = {"rows": Answerer, "frames": Framed}


def _load_pyfunc(path: str) -> Answerer | Framed:
    """Entry point that the MLmodel file names as its loader."""
    made = PYFUNCS[Path(path).name]()
    gc.collect()
    gc.freeze()
    return made


def make_bare() -> FastAPI:
    """Make a FastAPI app that does nothing but call the function."""
    app, answerer = FastAPI(), Answerer()

    @app.post("/score")
    async def score(request: Request) -> Response:
        return Response(answerer.answer(await request.body()), media_type="application/json")

    @app.get("/ping")
    async def ping() -> str:
        return "pong"

    gc.collect()
    gc.freeze()
    return app
