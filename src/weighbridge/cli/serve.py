"""`weighbridge serve`."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import click

from weighbridge.cli.exit_codes import MET
from weighbridge.cli.guard import read_guard
from weighbridge.cli.own_registry import own_registry
from weighbridge.cli.saying import say
from weighbridge.errors import EngineError, MissingExtra, UsageError, WeighbridgeError
from weighbridge.subject.shown import shown

if TYPE_CHECKING:
    from weighbridge.registry.store import Store

_NEEDED = ("fastapi", "uvicorn", "multipart", "webauthn", "limits", "joserfc")
_OIDC_SECRET = "WEIGHBRIDGE_OIDC_CLIENT_SECRET"  # noqa: S105  the name of a variable, no secret


@click.command(name="serve")
@click.option(
    "--db",
    metavar="URL",
    help="The registry's database: sqlite:///FILE (default: one in your data folder), postgresql://...",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="The port; 0: any that is free."
)
@click.option(
    "--origin",
    metavar="URL",
    help="How people reach it (https://weighbridge.example); passkeys belong to it. Default: http://localhost:PORT.",
)
@click.option(
    "--host-name", "hosts", multiple=True, metavar="NAME", help="Another name under which it may be asked. Repeat."
)
@click.option(
    "--publisher",
    metavar="NAME",
    help="Whose service it is, on pages, in feeds and statements. Default: the origin's host.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="MODEL",
    help="A model for the workbench: first the candidate, then the baseline. Repeat.",
)
@click.option(
    "--guard",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The system prompt of the first model's provider, for the rung `hosted`.",
)
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Private key (PEM) that signs notices.",
)
@click.option(
    "--oidc-issuer", metavar="URL", help="An OpenID Connect provider through which people may sign in as well."
)
@click.option(
    "--oidc-client-id", metavar="ID", help=f"This service's id there; its secret is read from {_OIDC_SECRET}."
)
@click.option(
    "--trusted-proxy", metavar="ADDRESSES", help="Whose X-Forwarded-For is believed: addresses, comma-separated."
)
@click.option("--loopback-webhooks", is_flag=True, help="Lets webhooks go to this machine: for development only.")
def command(
    db: str | None,
    host: str,
    port: int,
    origin: str | None,
    hosts: tuple[str, ...],
    publisher: str | None,
    models: tuple[str, ...],
    guard: Path | None,
    key: Path | None,
    oidc_issuer: str | None,
    oidc_client_id: str | None,
    trusted_proxy: str | None,
    loopback_webhooks: bool,
) -> int:
    """Serve the registry and the workbench: notices, rankings, lineage, findings and advisories, and chat with two models.

    The first start prints a one-time link that makes you its maintainer. Ctrl-C ends it; nothing is lost. Exit codes: 130 ended by Ctrl-C,
    2 usage, 4 the port is taken or the database fails.
    """
    from weighbridge.registry.problems import need_extra

    need_extra()
    lacking = [each for each in _NEEDED if find_spec(each) is None]
    if lacking:
        raise MissingExtra("serve", f"the service needs {', '.join(lacking)}")
    if (oidc_issuer is None) != (oidc_client_id is None):
        raise UsageError(
            "OpenID Connect needs both", where="--oidc-issuer", do="give --oidc-issuer and --oidc-client-id"
        )
    import uvicorn

    from weighbridge.dossier.statements.keys import PASSWORD_VARIABLE, read_private_key
    from weighbridge.registry.accounts.links import first_link
    from weighbridge.registry.store import open_store
    from weighbridge.web.accounts.door import AccountsDoor
    from weighbridge.web.app import create_app
    from weighbridge.web.settings import Settings
    from weighbridge.web.site import Site

    if key is not None:  # what cannot sign is told now, and not to whoever asks first
        read_private_key(key, lambda: os.environ.get(PASSWORD_VARIABLE))
    with _listening(host, port) as listener:
        port = listener.getsockname()[1]
        origin = origin or f"http://localhost:{port}"
        settings = Settings(
            origin=origin,
            publisher=publisher or origin.partition("://")[2],
            models=models,
            guard=read_guard(guard) if guard is not None else None,
            key=key,
            hosts=(*hosts, *(() if host in ("0.0.0.0", "::") else (host,))),  # noqa: S104  compared, not bound
            oidc_issuer=oidc_issuer,
            oidc_client_id=oidc_client_id,
            oidc_client_secret=os.environ.get(_OIDC_SECRET),
            allows_loopback_webhooks=loopback_webhooks,
        )
        store = open_store(db or own_registry())
        try:
            app = create_app(Site(store, settings, AccountsDoor(store, settings)))
            say(f"weighbridge serves {shown(settings.origin, 300)}\n  registry {store.where}")
            if (link := first_link(store, settings.origin)) is not None:
                say(
                    f"  nobody maintains it yet: open this link once, within a day, and become its maintainer\n  {link}"
                )
            Thread(target=_warm, args=(store,), daemon=True).start()
            server = uvicorn.Server(
                uvicorn.Config(
                    app,
                    log_level="warning",
                    access_log=False,  # addresses hold what people look for
                    server_header=False,
                    proxy_headers=trusted_proxy is not None,
                    forwarded_allow_ips=trusted_proxy,
                    timeout_graceful_shutdown=5,
                )
            )
            server.run(sockets=[listener])
        finally:
            store.close()
    return MET


def _warm(store: Store) -> None:
    """Make the index of lineage beside the first requests, so that none of them waits for it, and no writer."""
    from weighbridge.registry.kin import warm

    with suppress(WeighbridgeError):  # a database that fails is told to whoever searches
        warm(store)


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens, before anything is opened or printed. Raises `EngineError` where it cannot."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        raise EngineError(
            "somebody listens there already" if taken else f"cannot listen there ({error.strerror})",
            where=f"{host}:{port}",
            do="choose another --port" if taken else "check --host and --port",
        ) from None
    return listener
