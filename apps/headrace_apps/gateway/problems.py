"""Errors as `application/problem+json` (RFC 9457): every refusal of the gateway leaves through here.

Handlers raise `Problem`; the framework's own errors (404, 405, a wrong query parameter) are turned into one too.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 - the name of the thing in RFC 9457
    """An answer that is not a success. `kind` names it for programs: the problem's `type` is `urn:headrace:<kind>`."""

    def __init__(
        self, status: int, kind: str, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    def response(self) -> Response:
        """The HTTP answer; `members` become extension members."""
        content = {
            "type": f"urn:headrace:{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }
        # A path or a field name may hold a lone surrogate, which JSON in UTF-8 cannot: replaced, never a 500.
        try:
            body = orjson.dumps(content)
        except (TypeError, ValueError):
            body = orjson.dumps(_printable(content))
        return Response(body, self.status, headers=self.headers, media_type=MEDIA_TYPE)


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_printable(str(k)): _printable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(v) for v in value]
    return value if isinstance(value, int | float | bool | None) else _printable(str(value))


def pointer(path: list[str | int] | tuple[str | int, ...]) -> str:
    """A JSON pointer (RFC 6901): `["a", 0, "b/c"]` is `/a/0/b~1c`, and the document itself the empty string."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


async def on_problem(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, Problem)  # noqa: S101 - registered for this type only
    return exc.response()


async def on_http_exception(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)  # noqa: S101
    details = {
        404: ("not-found", f"There is nothing at {request.url.path}; /openapi.json lists what there is."),
        405: ("method-not-allowed", f"{request.method} is not possible at {request.url.path}."),
    }
    kind, detail = details.get(exc.status_code, ("http-error", str(exc.detail)))
    headers = dict(exc.headers or {})
    if exc.status_code == 405:
        headers["Allow"] = ", ".join(sorted(_methods_at(request)))
    return Problem(exc.status_code, kind, detail, headers=headers).response()


def _methods_at(request: Request) -> set[str]:
    """All methods of a path; the framework tells those of the first route only, and POST and GET are two."""
    at_path = [r for r in request.app.routes if r.matches(request.scope)[0] is not Match.NONE]
    return {method for route in at_path for method in getattr(route, "methods", None) or ()}


async def on_invalid_parameters(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, RequestValidationError)  # noqa: S101
    errors = [{"parameter": ".".join(str(p) for p in e["loc"][1:]), "message": str(e["msg"])} for e in exc.errors()]
    detail = "; ".join(f"{e['parameter']}: {e['message']}" for e in errors)
    return Problem(422, "invalid-parameters", detail, errors=errors).response()


async def on_crash(request: Request, exc: Exception) -> Response:
    """A fault of ours: the log has the cause, the caller does not."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=exc)
    detail = "The gateway failed on this request; its log says why. A retry with the same event ids is safe."
    return Problem(500, "internal-error", detail).response()


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem."""
    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_invalid_parameters)
    app.add_exception_handler(Exception, on_crash)
