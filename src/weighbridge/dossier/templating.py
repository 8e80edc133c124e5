"""How the dossier's pages are made from templates: everything that is put in is escaped, and a name that is not there is an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape


def page_template(name: str, filters: Mapping[str, Any]) -> Template:
    """Return the template of a page in `dossier/templates/`, with these filters."""
    environment = Environment(
        loader=PackageLoader("weighbridge.dossier"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= dict(filters)
    return environment.get_template(name)
