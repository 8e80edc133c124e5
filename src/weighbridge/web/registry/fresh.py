"""Answers that a cache may keep for a minute, and that are not sent again while nothing has changed."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import Request, Response

from weighbridge.digests import digest_bytes

SHORT = "public, max-age=60, must-revalidate"
# What is public may be shown and read from any site.
OPEN = {"Cross-Origin-Resource-Policy": "cross-origin", "Access-Control-Allow-Origin": "*"}


def fresh(
    request: Request,
    body: bytes,
    media_type: str,
    *,
    tag: str | None = None,
    cache: str = SHORT,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return `body`, or 304 when the asker has it. `tag` names what it says when its bytes change with every answer (a time in it)."""
    named = f'W/"{tag}"' if tag is not None else f'"{digest_bytes(body)[7:39]}"'
    sent = {"ETag": named, "Cache-Control": cache, **(headers or {})}
    if is_held(request, named):
        return Response(status_code=304, headers=sent)
    return Response(body, media_type=media_type, headers=sent)


def is_held(request: Request, tag: str) -> bool:
    """Return whether the asker says that it has what `tag` names."""
    held = request.headers.get("if-none-match", "")
    weak = tag.removeprefix("W/")
    return held.strip() == "*" or any(each.strip().removeprefix("W/") == weak for each in held.split(","))
