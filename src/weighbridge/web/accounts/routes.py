"""All routes of this slice."""

from __future__ import annotations

from fastapi import APIRouter

from weighbridge.web.accounts import account, join, people, provider, sign_in, trail

router = APIRouter()
for each in (sign_in.router, join.router, account.router, account.api, people.router, trail.router, provider.router):
    router.include_router(each)
