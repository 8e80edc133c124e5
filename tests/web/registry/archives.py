"""Archives to hand in, and what a registry holds."""

from __future__ import annotations

import io
import zipfile

from sqlalchemy import func, select

from tests.web.doors import signed_in
from weighbridge.registry.accounts.roles import Role
from weighbridge.registry.store import Store
from weighbridge.registry.tables import audit, blobs, publications

ZIP = {"content-type": "application/zip"}
TESTER = signed_in(Role.TESTER, token=True) | ZIP
PAGE = {"accept": "text/html"}
API = "/api/v1/publications"


def rows(store: Store) -> tuple[int, ...]:
    with store.reading() as connection:
        counted = (select(func.count()).select_from(table) for table in (publications, blobs, audit))
        return tuple(connection.execute(each).scalar() or 0 for each in counted)


def zipped(*files: tuple[str, bytes]) -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as written:
        for name, data in files:
            written.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return found.getvalue()
