"""A door for tests: whoever says who they are is believed."""

from __future__ import annotations

from fastapi.requests import HTTPConnection

from weighbridge.registry.accounts.roles import Role
from weighbridge.web.door import NOBODY, Who

CSRF = "the-token-of-this-session"


class SaidDoor:
    """Believes the headers `x-test-name` and `x-test-role`; `x-test-token: 1` makes it a token, which needs no CSRF."""

    def who(self, request: HTTPConnection) -> Who:
        name = request.headers.get("x-test-name")
        if name is None:
            return NOBODY
        is_token = request.headers.get("x-test-token") == "1"
        return Who(name, Role(request.headers["x-test-role"]), None if is_token else CSRF)


def signed_in(role: Role, name: str = "ada", *, token: bool = False) -> dict[str, str]:
    """Return the headers of somebody who is signed in, as a browser's page of this site would send them."""
    headers = {"x-test-name": name, "x-test-role": role.value}
    return headers | ({"x-test-token": "1"} if token else {"x-csrf-token": CSRF})
