"""What went wrong: a page for people, `application/problem+json` (RFC 9457) for programs. What, where, and what to do; never a trace, never a row."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weighbridge.errors import EvidenceError, MissingExtra, TypedFileError, UsageError, WeighbridgeError
from weighbridge.registry.problems import NotAdmitted, RegistryError, UploadRefused
from weighbridge.subject.shown import shown
from weighbridge.web.pages import page

_LOG = logging.getLogger("weighbridge.web")
_MOST_REASONS = 50


class Problem(Exception):
    """Something a person or a program asked for cannot be. `reasons`: each thing that is wrong."""

    def __init__(
        self,
        status: int,
        what: str,
        *,
        where: str | None = None,
        do: str | None = None,
        reasons: tuple[str, ...] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status, self.what, self.where, self.do = status, what, where, do
        self.reasons, self.headers = reasons[:_MOST_REASONS], headers or {}
        super().__init__(what)


class ProblemDetails(BaseModel):
    """A problem as a program reads it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    where: str | None = None
    do: str | None = None
    reasons: tuple[str, ...] = ()


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return `responses=` of a route for the problems that it may tell of."""
    content = {"application/problem+json": {"schema": ProblemDetails.model_json_schema()}}
    return {each: {"description": HTTPStatus(each).phrase, "content": content} for each in statuses}


def tell_problems(app: FastAPI) -> None:
    """Let the application tell every problem in one way."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(WeighbridgeError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def problem_of(error: WeighbridgeError) -> Problem:
    """Return a library's error as a problem: the caller's (400, 413, 422), or the service's (500, 503)."""
    status = 500
    if isinstance(error, NotAdmitted | TypedFileError | UploadRefused):
        status = 422
    elif isinstance(error, UsageError):
        status = 400
    elif isinstance(error, RegistryError | MissingExtra):
        status = 503
    reasons = error.reasons if isinstance(error, NotAdmitted) else ()
    if isinstance(error, TypedFileError):
        reasons = error.problems
    headers = {"Retry-After": "5"} if status == 503 else None
    # Where the registry lies is the operator's business, not the world's.
    where = None if isinstance(error, RegistryError | EvidenceError) else error.where
    return Problem(status, error.what, where=where, do=error.do, reasons=tuple(reasons), headers=headers)


def answer(request: Request, problem: Problem) -> Response:
    """Return a problem as a page or as JSON."""
    try:
        title = HTTPStatus(problem.status).phrase
    except ValueError:
        title = "Problem"
    details = ProblemDetails(
        title=title,
        status=problem.status,
        detail=shown(problem.what, 500),
        where=shown(problem.where, 200) if problem.where else None,
        do=shown(problem.do, 500) if problem.do else None,
        reasons=tuple(shown(each, 500) for each in problem.reasons),
    )
    if not wants_page(request):
        return JSONResponse(
            details.model_dump(mode="json", exclude_none=True),
            problem.status,
            problem.headers,
            media_type="application/problem+json",
        )
    found = page(request, "problem.html", status=problem.status, problem=details, back=_back(request))
    found.headers.update(problem.headers)
    return found


def _back(request: Request) -> str | None:
    """Return where to go on after signing in, None when it was a form: that is sent again by hand."""
    return request.url.path if request.method == "GET" else None


def wants_page(request: Request) -> bool:
    """Return whether a person's browser asks, not a program."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return answer(request, error)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, WeighbridgeError)
    found = problem_of(error)
    if found.status >= 500:
        _LOG.error("%s %s: %s", request.method, shown(request.url.path, 200), error.what)
    return answer(request, found)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    reasons = tuple(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return answer(
        request, Problem(422, "what was sent is not as it should be", do="mend what is listed", reasons=reasons)
    )


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    what = {404: "there is no such page", 405: "that cannot be done here"}.get(error.status_code, str(error.detail))
    return answer(request, Problem(error.status_code, what, headers=dict(error.headers or {})))


class Caught:
    """Answers when a route fails in a way that nobody foresaw. Inside of `Headers`, so that this answer too has them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def sent(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, sent)
        except Exception as error:
            if scope["type"] != "http":
                raise
            # Only the kind goes into the log: the text of an error may hold what somebody sent.
            _LOG.error("%s %s: unexpected %s", scope["method"], shown(scope["path"], 200), type(error).__name__)
            if not started:
                what = Problem(500, "this went wrong on our side", do="try again; tell the operator if it stays")
                await answer(Request(scope), what)(scope, receive, send)
