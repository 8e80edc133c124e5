"""Pages and forms of the workbench. Every one works without a script."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from weighbridge.dossier.untrusted import one_line
from weighbridge.protocol.vocabulary import Rung
from weighbridge.registry.conversations import (
    MOST_LETTERS,
    Named,
    Setting,
    add_turn,
    ask_again,
    begin,
    conversations_of,
    find_conversation,
    find_side,
    find_turn,
    reveal,
    rungs_of,
    stop,
    turns_of,
)
from weighbridge.registry.tagging import tags_in
from weighbridge.web.limits import limited
from weighbridge.web.pages import fragment, page
from weighbridge.web.problems import Problem
from weighbridge.web.site import Here
from weighbridge.web.workbench import events
from weighbridge.web.workbench.asking import Job
from weighbridge.web.workbench.forms import HOW, Words, words
from weighbridge.web.workbench.here import Bench, Tester, ended_with_the_service, told
from weighbridge.web.workbench.views import turn_view, whole_sample

router = APIRouter(prefix="/workbench", include_in_schema=False, lifespan=ended_with_the_service)
router.include_router(events.router)

SHOWN_TURNS = 20
_TURNS = [Depends(limited("workbench turns", per_minute=20))]
_FORMS = [Depends(limited("workbench", per_minute=60))]


@router.get("")
def mine(request: Request, site: Here, bench: Bench, who: Tester) -> Response:
    """Return somebody's conversations, and the form that begins one."""
    with site.store.reading() as connection:
        found = conversations_of(connection, who.by)
    offers = [(offer, bench.shelf.told(offer.reference)) for offer in bench.shelf.offers]
    listed = [(each, one_line(each.first, 100)) for each in found]
    return page(request, "workbench/mine.html", listed=listed, offers=offers, rungs=rungs_of(who.role), Rung=Rung)


@router.post("/conversations", dependencies=_FORMS)
def begin_one(
    site: Here,
    bench: Bench,
    who: Tester,
    candidate: Annotated[str, Form(max_length=40)],
    baseline: Annotated[str, Form(max_length=40)] = "",
    blind: Annotated[bool, Form()] = False,
) -> Response:
    """Begin a conversation."""
    offers = {offer.key: Named(offer.reference, offer.name) for offer in bench.shelf.offers}
    if candidate not in offers or (baseline and baseline not in offers):
        raise Problem(422, "this model is not offered here", do="choose one of those listed")
    with site.store.writing() as connection:
        chosen = begin(
            connection,
            site.store.clock(),
            owner=who.by,
            candidate=offers[candidate],
            baseline=offers[baseline] if baseline else None,
            blind=blind,
        )
    return _to(chosen)


@router.get("/conversations/{identity}")
def one(
    request: Request,
    site: Here,
    bench: Bench,
    who: Tester,
    identity: str,
    everything: bool = False,
    unfold: bool = False,
) -> Response:
    """Return a conversation: its last turns, or `everything`, with the answers folded unless `unfold`."""
    with told(), site.store.reading() as connection:
        conversation = find_conversation(connection, identity, name=who.by, role=who.role)
        turns = turns_of(connection, site.store.clock(), identity)
        tags = tags_in(connection, identity, reader=who)
    shown = turns if everything else turns[-SHOWN_TURNS:]
    return page(
        request,
        "workbench/conversation.html",
        conversation=conversation,
        turns=[turn_view(conversation, turn) for turn in shown],
        tags=tags,
        left_out=len(turns) - len(shown),
        is_open=any(turn.is_open for turn in turns),
        doing=bench.doing(conversation),
        is_mine=conversation.owner == who.by,
        last=turns[-1].setting if turns else Setting(rung=Rung.API),
        rungs=rungs_of(who.role),
        ways=HOW,
        most_letters=MOST_LETTERS,
        unfold=unfold,
    )


@router.post("/conversations/{identity}/turns", dependencies=_TURNS)
def say(site: Here, bench: Bench, who: Tester, identity: str, sent: Annotated[Words, Depends(words)]) -> Response:
    """Store a person's words with the sides that are to answer, and let both be asked."""
    with told(), site.store.writing() as connection:
        now = site.store.clock()
        conversation = find_conversation(connection, identity, name=who.by, role=who.role)
        earlier = turns_of(connection, now, identity)
        turn = add_turn(
            connection,
            now,
            conversation,
            by=who.by,
            role=who.role,
            text=sent.text,
            setting=sent.setting,
            server=bench.server,
        )
    bench.ask(Job(conversation, turn, turn.sides, earlier))
    return _to(identity, turn.id)


@router.post("/conversations/{identity}/reveal", dependencies=_FORMS)
def reveal_one(site: Here, who: Tester, identity: str) -> Response:
    """Tell which side is which, from now on."""
    with told(), site.store.writing() as connection:
        find_conversation(connection, identity, name=who.by, role=who.role)
        reveal(connection, site.store.clock(), identity, by=who.by)
    return _to(identity)


@router.get("/turns/{identity}")
def one_turn(request: Request, site: Here, who: Tester, identity: str) -> Response:
    """Return a turn by itself, for a page that is open."""
    with told(), site.store.reading() as connection:
        conversation, turn = find_turn(connection, site.store.clock(), identity, name=who.by, role=who.role)
        tags = tags_in(connection, conversation.id, reader=who)
    text = fragment(
        "workbench/turn.html",
        conversation=conversation,
        turn=turn_view(conversation, turn),
        tags=tags,
        is_mine=conversation.owner == who.by,
        csrf=who.csrf or "",
        unfold=False,
    )
    return HTMLResponse(text, headers={"Cache-Control": "no-store"})


@router.get("/sides/{identity}")
def one_answer(request: Request, site: Here, who: Tester, identity: str) -> Response:
    """Return one answer with all its text."""
    with told(), site.store.reading() as connection:
        conversation, turn, side = find_side(connection, site.store.clock(), identity, name=who.by, role=who.role)
    return page(
        request,
        "workbench/side.html",
        conversation=conversation,
        turn=turn_view(conversation, turn),
        letter=side.letter,
        sample=whole_sample(conversation, side),
    )


@router.post("/sides/{identity}/again", dependencies=_TURNS)
def again(site: Here, bench: Bench, who: Tester, identity: str) -> Response:
    """Ask a side again that ended without a whole answer."""
    with told(), site.store.writing() as connection:
        now = site.store.clock()
        side = ask_again(connection, now, identity, by=who.by, role=who.role, server=bench.server)
        conversation, turn = find_turn(connection, now, side.turn, name=who.by, role=who.role)
        earlier = turns_of(connection, now, conversation.id)
    bench.ask(Job(conversation, turn, (side,), earlier))
    return _to(conversation.id, turn.id)


@router.post("/sides/{identity}/stop", dependencies=_FORMS)
def stop_one(site: Here, bench: Bench, who: Tester, identity: str) -> Response:
    """End an answer; what came of it stays."""
    with told(), site.store.reading() as connection:
        conversation, turn, _ = find_side(connection, site.store.clock(), identity, name=who.by, role=who.role)
    if not bench.stop(identity):
        with site.store.writing() as connection:
            stop(connection, site.store.clock(), identity)
    return _to(conversation.id, turn.id)


def _to(conversation: str, turn: str = "") -> Response:
    return RedirectResponse(f"/workbench/conversations/{conversation}" + (f"#turn-{turn}" if turn else ""), 303)
