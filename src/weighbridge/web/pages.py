"""Pages from templates: everything that is put in is escaped, and a name that is not there is an error."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from weighbridge.registry.accounts.roles import Role
from weighbridge.subject.shown import shown
from weighbridge.web.door import NOBODY, Who
from weighbridge.web.site import site

NAV = (
    ("/", "Look up"),
    ("/rankings", "Rankings"),
    ("/findings", "Findings"),
    ("/advisories", "Advisories"),
    ("/workbench", "Workbench"),
)


def page(request: Request, name: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Return a page. Templates see what is given and: `who`, `csrf`, `nav`, `here` (the path), `settings`, `Role`."""
    who: Who = getattr(request.state, "who", None) or NOBODY
    text = _environment.get_template(name).render(
        who=who,
        csrf=who.csrf or "",
        nav=NAV,
        here=request.url.path,
        settings=site(request).settings,
        Role=Role,
        **context,
    )
    # What a signed-in person sees must not stay in a shared cache.
    return HTMLResponse(text, status, {"Cache-Control": "no-store" if who.name else "no-cache"})


def fragment(name: str, **context: Any) -> str:
    """Return a part of a page, or a document of its own (a badge, a card)."""
    return _environment.get_template(name).render(**context)


def hex_of(digest: str) -> str:
    """Return a digest as it stands in addresses.

    >>> hex_of("sha256:" + "0" * 64)[:4]
    '0000'
    """
    return digest.removeprefix("sha256:")


def moment(at: datetime) -> str:
    """Return a time for people, in UTC.

    >>> moment(datetime(2026, 11, 26, 12, 30, tzinfo=UTC))
    '26 November 2026, 12:30 UTC'
    """
    at = at.astimezone(UTC)
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


def day(at: datetime) -> str:
    """Return a day for people.

    >>> day(datetime(2026, 11, 26, 12, 30, tzinfo=UTC))
    '26 November 2026'
    """
    at = at.astimezone(UTC)
    return f"{at.day} {at:%B %Y}"


_environment = Environment(
    loader=PackageLoader("weighbridge.web"),
    autoescape=select_autoescape(default=True, default_for_string=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_environment.filters |= {"shown": shown, "hex": hex_of, "moment": moment, "day": day, "iso": datetime.isoformat}
