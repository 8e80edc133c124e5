"""The techniques of MITRE ATLAS that a sheet's ids are checked against: one release, names only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml


@dataclass(frozen=True)
class Atlas:
    """One release: `techniques` by id; a sub-technique's name begins with its technique's."""

    release: str
    techniques: dict[str, str]


@cache
def atlas() -> Atlas:
    """Return the release that ships with this version.

    >>> atlas().techniques["AML.T0052.000"]
    'Phishing: Spearphishing via Social Engineering LLM'
    """
    found = yaml.safe_load(files("weighbridge.threats").joinpath("atlas.yaml").read_text("utf-8"))
    return Atlas(found["release"], found["techniques"])
