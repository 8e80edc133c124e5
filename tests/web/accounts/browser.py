"""A browser for tests: keeps cookies, holds passkeys, reads the token of a form from the page that has it."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.fakes.authenticator import Authenticator


class Browser:
    """`origin`: where it goes."""

    def __init__(self, app: FastAPI, origin: str) -> None:
        self.origin = origin
        self.client = TestClient(app, base_url=origin, raise_server_exceptions=False, follow_redirects=False)
        self.keys = Authenticator(origin)

    def get(self, path: str) -> Any:
        return self.client.get(path, headers={"accept": "text/html"})

    def form(self, path: str, page: str = "/account", **fields: str) -> Any:
        """Send a form as the page that has it would."""
        headers = {"accept": "text/html", "origin": self.origin, "sec-fetch-site": "same-origin"}
        return self.client.post(path, data=fields | {"csrf": self.csrf(page)}, headers=headers)

    def script(self, path: str, body: Any, **headers: str) -> Any:
        """Send what a page's script sends."""
        return self.client.post(path, json=body, headers={"origin": self.origin} | headers)

    def csrf(self, page: str = "/account") -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(page).text)
        return found[1] if found else ""

    def join(self, link: str, name: str = "", title: str = "Laptop") -> Any:
        secret = link.partition("#")[2]
        options = self.script("/join/options", {"secret": secret, "name": name})
        if options.status_code != 200:
            return options
        return self.script("/join", {"secret": secret, "title": title, "credential": self.keys.make(options.json())})

    def sign_in(self, which: int = -1, next: str | None = None) -> Any:
        options = self.script("/sign-in/options", {})
        if options.status_code != 200:
            return options
        return self.script("/sign-in", {"credential": self.keys.sign(options.json(), which), "next": next})

    def cookie(self, what: str) -> str:
        """The value of the session's or the step's cookie."""
        [found] = [each.value for each in self.client.cookies.jar if what in each.name]
        return found or ""

    def put_cookie(self, what: str, value: str) -> None:
        """Have a cookie that came from elsewhere."""
        for each in list(self.client.cookies.jar):
            if what in each.name:
                self.client.cookies.jar.clear(each.domain, each.path, each.name)
        self.client.cookies.set(f"weighbridge-{what}", value)

    @property
    def name(self) -> str | None:
        """Who the service takes this browser for."""
        found = self.client.get("/api/v1/me")
        return str(found.json()["name"]) if found.status_code == 200 else None

    @property
    def role(self) -> str | None:
        found = self.client.get("/api/v1/me")
        return str(found.json()["role"]) if found.status_code == 200 else None
