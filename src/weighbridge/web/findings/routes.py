"""The slice's router."""

from __future__ import annotations

from fastapi import APIRouter

from weighbridge.web.findings import advisories, api, follow, pages

router = APIRouter()
for each in (pages, advisories, follow, api):
    router.include_router(each.router)
