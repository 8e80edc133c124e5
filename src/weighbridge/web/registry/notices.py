"""A notice in its forms: a page, a card and a badge for people, JSON and a signed statement for machines."""

from __future__ import annotations

import os
from datetime import datetime

from fastapi import APIRouter, Request, Response

from weighbridge import __version__
from weighbridge.digests import digest_bytes
from weighbridge.dossier.statements.envelope import sign
from weighbridge.dossier.statements.keys import PASSWORD_VARIABLE, PrivateKey, read_private_key
from weighbridge.dossier.svg import Plots
from weighbridge.errors import UsageError
from weighbridge.protocol.vocabulary import Contrast
from weighbridge.registry.notices import Match, Notice, Noticed, Standing
from weighbridge.registry.publishing import signers_of
from weighbridge.registry.stated_notice import state_notice
from weighbridge.web.pages import fragment, page
from weighbridge.web.problems import Problem
from weighbridge.web.registry.badge import MEANS, badge
from weighbridge.web.registry.fresh import OPEN, fresh
from weighbridge.web.registry.things import Asked, Thing
from weighbridge.web.registry.views import signer_of, view
from weighbridge.web.site import Here, Site
from weighbridge.web.who import Known

router = APIRouter(include_in_schema=False)

_READ = ["GET", "HEAD"]  # who checks links and who keeps copies of images asks for heads
MAX_WHOLE = 20  # publications shown whole on a page; the others are listed
CARD_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *"
IMAGE_POLICY = "default-src 'none'; frame-ancestors *"
_DSSE = "application/vnd.dsse.envelope.v1+json"


@router.api_route("/weights/{hex64}", methods=_READ)
@router.api_route("/closed/{provider}/{name}", methods=_READ)
def notice_page(request: Request, site: Here, thing: Asked, who: Known) -> Response:
    """Return the page of a notice."""
    with site.store.reading() as connection:
        notice = thing.notice(connection, site)
        advisories = thing.advisories(connection, notice.at, who)
        names = {each.keyid: each.name for each in signers_of(connection)}
    # What has expired and still counts against the model is not history.
    counts = [each for each in notice.entries if each.stands in (Standing.CURRENT, Standing.EXPIRED)]
    whole = sorted(counts, key=lambda each: (not each.signer_known, each.stands is not Standing.CURRENT))[:MAX_WHOLE]
    shown = {each.publication for each in whole}
    plots = Plots()
    return page(
        request,
        "registry/notice.html",
        thing=thing,
        notice=notice,
        means=MEANS[notice.answer],
        advisories=advisories,
        label=label_of(notice),
        views=[view(each, each.stands, names, plots) for each in whole],
        past=[each for each in notice.entries if each.publication not in shown],
        names=names,
        signer_of=signer_of,
        origin=site.settings.origin,
        has_key=site.settings.key is not None,
    )


@router.api_route("/weights/{hex64}/card", methods=_READ)
@router.api_route("/closed/{provider}/{name}/card", methods=_READ)
def card(request: Request, site: Here, thing: Asked) -> Response:
    """Return the card: a page of its own that other sites may frame."""
    with site.store.reading() as connection:
        notice = thing.notice(connection, site)
        advisories = thing.listing_advisories(connection, notice.at)
        names = {each.keyid: each.name for each in signers_of(connection)}
    entry = deciding(notice)
    text = fragment(
        "registry/card.html",
        thing=thing,
        notice=notice,
        means=MEANS[notice.answer],
        label=label_of(notice),
        advisories=advisories,
        entry=entry,
        Contrast=Contrast,
        signer=None if entry is None else signer_of(entry, names),
        settings=site.settings,
    )
    headers = {"Content-Security-Policy": CARD_POLICY, "Cross-Origin-Resource-Policy": "cross-origin"}
    return fresh(request, text.encode(), "text/html; charset=utf-8", headers=headers)


@router.api_route("/weights/{hex64}/badge.svg", methods=_READ)
@router.api_route("/closed/{provider}/{name}/badge.svg", methods=_READ)
def badge_image(request: Request, site: Here, thing: Asked) -> Response:
    """Return the badge."""
    text = badge(_notice(site, thing), thing.bound)
    return fresh(request, text.encode(), "image/svg+xml", headers={"Content-Security-Policy": IMAGE_POLICY, **OPEN})


@router.api_route("/weights/{hex64}/notice.json", methods=_READ)
@router.api_route("/closed/{provider}/{name}/notice.json", methods=_READ)
def notice_file(request: Request, site: Here, thing: Asked) -> Response:
    """Return the notice for machines."""
    return as_json(request, _notice(site, thing))


@router.api_route("/weights/{hex64}/notice.dsse.json", methods=_READ)
@router.api_route("/closed/{provider}/{name}/notice.dsse.json", methods=_READ)
def notice_statement(request: Request, site: Here, thing: Asked) -> Response:
    """Return the notice as a signed statement. Raises `Problem` 404 when this service has no key to sign with."""
    key = notice_key(site)
    if key is None:
        told = "this service signs no notices: it was started without a key"
        raise Problem(404, told, do="read notice.json; its operator gives a key with `weighbridge serve --key FILE`")
    notice = _notice(site, thing)
    try:
        payload = state_notice(notice, publisher=site.settings.publisher, made_by=f"weighbridge {__version__}")
    except UsageError as error:
        raise Problem(404, error.what, do=error.do) from None
    # Kept no longer than an hour, however little changes: what was signed must not grow old in a cache.
    tag = f"{_tag(notice)}-{_hour(notice.at)}-{key.public.keyid[7:15]}"
    return fresh(request, sign(payload, [key]), _DSSE, tag=tag, headers=OPEN)


@router.api_route("/notice-key.pub", methods=_READ)
def public_key_file(site: Here) -> Response:
    """Return the public half of the key that signs notices."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = notice_key(site)
    if key is None:
        raise Problem(404, "this service signs no notices: it was started without a key", do="read notice.json")
    pem = key.public.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return Response(pem, media_type="application/x-pem-file", headers={"Cache-Control": "public, max-age=300", **OPEN})


def as_json(request: Request, notice: Notice) -> Response:
    """Return a notice as JSON."""
    body = notice.model_dump_json(by_alias=True).encode()
    return fresh(request, body, "application/json", tag=_tag(notice), headers=OPEN)


def notice_key(site: Site) -> PrivateKey | None:
    """Return the key that signs notices, read once; None when the operator gave none. Raises `Problem` 503 when it cannot be used."""
    if site.settings.key is None:
        return None
    found: PrivateKey | None = site.parts.get("notice key")
    if found is None:
        try:
            found = read_private_key(site.settings.key, lambda: os.environ.get(PASSWORD_VARIABLE))
        except UsageError as error:
            raise Problem(
                503, f"the key that signs notices cannot be used: {error.what}", do="tell the operator"
            ) from None
        site.parts["notice key"] = found
    return found


def label_of(notice: Notice) -> str | None:
    """Return the label that a known signer gave to exactly this, the newest one; None when there is none."""
    for each in notice.entries:
        if each.signer_known and each.match is not Match.PART:
            return each.facts.label
    return None


def deciding(notice: Notice) -> Noticed | None:
    """Return the newest publication that says what the notice says, by a known signer; None when none does."""
    for each in notice.entries:
        counts = (
            each.stands in (Standing.CURRENT, Standing.EXPIRED) and each.signer_known and each.match is not Match.PART
        )
        if counts and each.facts.answer is notice.answer:
            return each
    return None


def _notice(site: Site, thing: Thing) -> Notice:
    with site.store.reading() as connection:
        return thing.notice(connection, site)


def _tag(notice: Notice) -> str:
    """Return a name of what a notice says, whenever it is asked for."""
    return digest_bytes(notice.model_dump_json(by_alias=True, exclude={"at"}).encode())[7:39]


def _hour(at: datetime) -> str:
    return f"{at:%Y%m%d%H}"
