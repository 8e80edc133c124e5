"""Every case of every corpus, made once in a process."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import ModuleType

from tests.attacks import archives, directories, evasions, frameworks, pickles, templates, tensors
from tests.attacks.case import Case

CORPORA: tuple[ModuleType, ...] = (pickles, archives, tensors, frameworks, templates, directories, evasions)


@cache
def every_case() -> tuple[tuple[str, Case], ...]:
    """Return (name, case) of all, the corpus in front of each name."""
    return tuple(_every())


def _every() -> Iterator[tuple[str, Case]]:
    for corpus in CORPORA:
        area = corpus.__name__.rsplit(".", 1)[-1]
        for case in corpus.cases():
            yield f"{area}: {case.name}", case
