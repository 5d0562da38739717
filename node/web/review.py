"""The HTTP API of readers: the lesions of a case, what was decided about them, and decisions."""

import json
from collections.abc import Mapping
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from node.following import DecisionBook
from node.services.answers import decisions_of, facts
from node.services.record import Recorder
from pipelines.domain.identifiers import CaseId
from pipelines.domain.readings import Question, Source

_MOST_BYTES: Final = 65_536
_MOST_DECISIONS: Final = 200
_LONGEST_REASON: Final = 500
_LARGEST: Final = 2**63 - 1


class ReviewApi:
    """Routes below the API's root."""

    def __init__(self, readings: DecisionBook, recorder: Recorder) -> None:
        self._readings = readings
        self._recorder = recorder

    def routes(self) -> list[Route]:
        """`GET` and `POST cases/{case}/decisions`, `DELETE cases/{case}/decisions/{number}`."""
        return [
            Route("/cases/{case:int}/decisions", self.shown, methods=["GET"]),
            Route("/cases/{case:int}/decisions", self.decide, methods=["POST"]),
            Route("/cases/{case:int}/decisions/{number:int}", self.take_back, methods=["DELETE"]),
        ]

    async def shown(self, request: Request) -> Response:
        return await run_in_threadpool(self._shown, _case(request))

    def _shown(self, case: CaseId, status: int = 200) -> Response:
        found = self._readings.case_read(case)
        if found is None:
            return _problem(404, f"There is no case {case}.")
        return JSONResponse(facts(found, self._readings.readings(found.patient)), status)

    async def decide(self, request: Request) -> Response:
        # what a page of somebody else can have a browser send is never JSON, unless the browser asks first
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return _problem(415, "The Content-Type is application/json.")
        taken = bytearray()
        async for chunk in request.stream():
            taken += chunk
            if len(taken) > _MOST_BYTES:
                return _problem(413, f"The request has more than {_MOST_BYTES} bytes.")
        return await run_in_threadpool(self._decide, _case(request), bytes(taken))

    def _decide(self, case: CaseId, body: bytes) -> Response:
        found = self._readings.case_read(case)
        if found is None:
            return _problem(404, f"There is no case {case}.")
        try:
            asked = _Asked(body)
            made = [
                decision
                for question, answer, lesion in asked.answers
                for decision in decisions_of(self._readings, found, {question: answer}, lesion)
            ]
        except ValueError as fault:
            return _problem(400, str(fault))
        self._recorder.decide(case, made, Source.HTTP, who=asked.who, reason=asked.reason)
        return self._shown(case, 201)

    async def take_back(self, request: Request) -> Response:
        return await run_in_threadpool(
            self._take_back, _case(request), min(int(request.path_params["number"]), _LARGEST)
        )

    def _take_back(self, case: CaseId, number: int) -> Response:
        try:
            done = self._recorder.undo(case, number, who="http", reason="")
        except KeyError:
            return _problem(404, f"There is no case {case}.")
        if done is None:
            return _problem(404, "There is no such decision about this patient, or it was taken back before.")
        return self._shown(case)


class _Asked:
    """The body of a request: `{"by": …, "reason": …, "decisions": [{"question": …, "answer": …, "lesion": …}]}`."""

    def __init__(self, body: bytes) -> None:
        try:
            told: Any = json.loads(body)
        except (ValueError, RecursionError):
            raise ValueError("The body is no JSON.") from None
        if not isinstance(told, Mapping) or not told.keys() <= {"by", "reason", "decisions"}:
            raise ValueError("The body is an object with by, reason and decisions.")
        self.who = _text(told, "by", "http", 64)
        self.reason = _text(told, "reason", "", _LONGEST_REASON)
        decisions = told.get("decisions")
        if not isinstance(decisions, list) or not 0 < len(decisions) <= _MOST_DECISIONS:
            raise ValueError(f"decisions is a list of 1 to {_MOST_DECISIONS}.")
        self.answers = [_answer(one) for one in decisions]


def _text(told: Mapping[str, Any], name: str, default: str, longest: int) -> str:
    value = told.get(name, default)
    if not isinstance(value, str) or len(value) > longest:
        raise ValueError(f"{name} is a text of {longest} characters at most.")
    return value or default


def _answer(one: Any) -> tuple[Question, str, int | None]:
    if not isinstance(one, Mapping) or not one.keys() <= {"question", "answer", "lesion"}:
        raise ValueError("A decision has question, answer and lesion.")
    try:
        question = Question(str(one.get("question")))
    except ValueError:
        raise ValueError(f"question: one of {', '.join(Question)} is allowed.") from None
    answer, lesion = one.get("answer"), one.get("lesion")
    if not isinstance(answer, str):
        raise ValueError("answer is a text.")
    if lesion is not None and (not isinstance(lesion, int) or isinstance(lesion, bool)):
        raise ValueError("lesion is the number of a lesion of the case.")
    return question, answer, lesion


def _case(request: Request) -> CaseId:
    """The case in the path; a number that no ledger counts to is the number of none."""
    return CaseId(min(int(request.path_params["case"]), _LARGEST))


def _problem(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status)
