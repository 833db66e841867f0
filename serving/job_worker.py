"""Scores the parts of jobs beside the requests, and after them: a history at a time, where no request is in work."""

import logging
import threading
import time
from collections.abc import Callable

from pydantic import ValidationError

from serving import jobs
from serving.answers import score_histories
from serving.models import LoadedModel
from serving.problems import Problem, describe, mistakes
from serving.schemas import History, JobLine, ScoreRequest
from serving.store import StoreError
from serving.telemetry import count_scores

log = logging.getLogger("bentoml.realreach")

#: Seconds between two looks for work, and between two signs of life of a part in work.
_LOOK, _SIGN = 1.0, 10.0
#: Seconds between two erasures of jobs whose time is over.
_ERASE = 3600.0
#: Seconds that a history waits at most for requests in work; longer, and a busy service would never finish a job.
_GIVE_WAY, _STEP = 0.1, 0.002
_OF_HISTORY = "/histories/0"


class Stopped(Exception):  # noqa: N818 - no error: the service ends
    """The worker was told to stop."""


class JobWorker:
    """One thread that works on jobs for as long as the service runs.

    Parameters
    ----------
    model : callable
        The model in use, None where there is none: jobs wait for one.
    busy : callable
        Whether requests are in work.
    """

    def __init__(self, model: Callable[[], LoadedModel | None], busy: Callable[[], bool]) -> None:
        self._model = model
        self._busy = busy
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._silent = False
        self._erased = float("-inf")

    def start(self) -> None:
        """Begin to look for work."""
        self._thread.start()

    def stop(self) -> None:
        """Give back what is in work, and end."""
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                worked = self._look()
                self._silent = False
            except Stopped:
                return
            except StoreError as error:
                if not self._silent:
                    log.warning("jobs wait: %s", error)
                self._silent, worked = True, False
            except Exception:  # one part that cannot be read must not end the work on all others
                log.exception("a part of a job broke off; it is tried again")
                worked = False
            if not worked:
                self._stop.wait(_LOOK)

    def _look(self) -> bool:
        """Do the next part; whether there was one."""
        model = self._model()
        if model is None:
            return False
        if time.monotonic() - self._erased > _ERASE:
            jobs.erase_old()
            self._erased = time.monotonic()
        part = jobs.claim()
        if part is None:
            return False
        self._work(part, model)
        return True

    def _work(self, part: jobs.Part, model: LoadedModel) -> None:
        lines, refused, sign = [], 0, time.monotonic()
        given_up = part.attempts > jobs.MOST_ATTEMPTS
        for place, history in enumerate(part.request.histories):
            self._give_way(part)
            line = _given_up(part, place, history) if given_up else score_one(part, place, history, model)
            refused += line.problem is not None
            lines.append(line.model_dump_json())
            if time.monotonic() - sign > _SIGN:
                if not jobs.still_mine(part):
                    return
                sign = time.monotonic()
        jobs.finish(part, lines, refused)

    def _give_way(self, part: jobs.Part) -> None:
        deadline = time.monotonic() + _GIVE_WAY
        while not self._stop.wait(_STEP):
            if not self._busy() or time.monotonic() > deadline:
                return
        jobs.give_back(part)
        raise Stopped


def _line(part: jobs.Part, place: int, history: History, found: Problem) -> JobLine:
    return JobLine(
        index=part.first + place,
        creator_id=history.creator.creator_id,
        report=None,
        problem=found,
        model=None,
        simulated=None,
        notice="",
    )


def _given_up(part: jobs.Part, place: int, history: History) -> JobLine:
    said = "scoring this history or one beside it broke off several times; send them again in smaller jobs"
    return _line(part, place, history, describe("internal", said))


def score_one(part: jobs.Part, place: int, history: History, model: LoadedModel) -> JobLine:
    """Score a history of a part, as /score would; what is wrong with it is said in its own line."""
    request = part.request
    alone = ScoreRequest.model_construct(
        histories=[history], as_of=request.as_of, checks=request.checks, language=request.language
    )
    try:
        answer = score_histories(alone, model, part.received_at)
    except ValidationError as error:
        found = mistakes(error)
        fields = [field.model_copy(update={"path": field.path.removeprefix(_OF_HISTORY)}) for field in found.errors]
        return _line(part, place, history, found.model_copy(update={"errors": fields}))
    except Exception:  # our fault, and no reason to lose the others
        log.exception("a history of a job could not be scored")
        return _line(part, place, history, describe("internal", "this history was understood and could not be scored"))
    count_scores(answer.reports, answer.model.version, "job")
    return JobLine(
        index=part.first + place,
        creator_id=history.creator.creator_id,
        report=answer.reports[0],
        problem=None,
        model=answer.model,
        simulated=answer.simulated,
        notice=answer.notice,
    )
