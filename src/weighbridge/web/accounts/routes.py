"""All routes of this slice."""

from __future__ import annotations

from fastapi import APIRouter

from weighbridge.web.accounts import account, join, people, sign_in

router = APIRouter()
for each in (sign_in.router, join.router, account.router, account.api, people.router):
    router.include_router(each)
