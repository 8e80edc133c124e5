"""What goes wrong in a registry, and who must act."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from weighbridge.errors import EvidenceError, MissingExtra, UsageError, WeighbridgeError


class RegistryError(WeighbridgeError):
    """The registry's database cannot do what was asked: it is gone, full, locked, or of another version. Its operator acts."""


class UploadRefused(UsageError):
    """What was handed in is not a dossier's files, or more than a registry takes. Nothing was stored."""


class NotAdmitted(EvidenceError):
    """The dossier does not verify. `reasons` lists why; nothing was stored."""

    def __init__(self, reasons: Sequence[str], *, where: str | None = None) -> None:
        self.reasons = tuple(reasons)
        more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
        super().__init__(
            "not published: " + "; ".join(reasons[:3]) + more,
            where=where,
            do="`weighbridge verify` tells each reason and what to do about it",
        )


def need_extra() -> None:
    """Raise `MissingExtra` unless what a registry's database needs is installed. To be called before what imports it."""
    if find_spec("sqlalchemy") is None or find_spec("alembic") is None:
        raise MissingExtra("serve", "a registry needs SQLAlchemy and Alembic")
