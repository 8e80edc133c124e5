"""An advisory on a parent reaches what descends from it, as a question: never as a verdict about the derivative."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.findings.built import estimate, finding
from tests.probes.checkpoint.weights.planted import as_gguf, fine_tuned, transformer
from tests.registry.databases import Clock, model
from tests.registry.descents import dossier, report
from tests.registry.test_disclosing import FINDER, MAINTAINER, NOBODY, OTHER_TESTER, Somebody, held
from tests.registry.test_following import begin, deliver, receiving
from weighbridge.dossier.statements.keys import PrivateKey
from weighbridge.findings.advisory import Advisory, Listed, Status
from weighbridge.findings.finding import Finding, What
from weighbridge.findings.mitigation import Mitigation
from weighbridge.registry.disclosing.advisories import advisory_from, save_advisory
from weighbridge.registry.disclosing.findings import make_public, save_finding
from weighbridge.registry.disclosing.reach import How, Reach, adoption, advisories_about
from weighbridge.registry.publishing import publish, trust
from weighbridge.registry.store import Store
from weighbridge.registry.upload import Upload


@pytest.fixture
def kind() -> str:
    """On SQLite, where a test does not say otherwise: six publications each take their time."""
    return "sqlite"


@pytest.fixture(scope="session")
def uploads(key: PrivateKey, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Upload]:
    """Dossiers of a parent, two derivatives of it, its fix, a stranger, and a model whose weights nobody read; made once."""
    parent = transformer(1)
    said: dict[str, Any] = {
        "parent": report(parent),
        "tuned": report(fine_tuned(parent, 3, 0.1)),
        "q8": report(as_gguf(parent), "q8_0"),
        "fix": report(fine_tuned(parent, 4, 0.1)),
        "stranger": report(transformer(2)),
        "unread": None,
    }
    folder = tmp_path_factory.mktemp("family")
    return {words: dossier(folder / words, key, model(words), each) for words, each in said.items()}


@pytest.fixture
def family(store: Store, key: PrivateKey, clock: Clock, uploads: dict[str, Upload]) -> dict[str, str]:
    """The digests of a family, published one day after another."""
    trust(store, key.public, name="Evaluator", by="test")
    roots = {}
    for words, upload in uploads.items():
        roots[words] = publish(store, upload, by="test").subject
        clock.now += timedelta(days=1)
    return roots


def advised(store: Store, found: Finding, **changes: Any) -> tuple[Advisory, str]:
    handle = save_finding(store, found, by="finder").handle
    with store.reading() as connection:
        made = advisory_from(connection, [handle], publisher="us", reader=MAINTAINER, at=store.clock())
    made = made.model_copy(update=changes)
    save_advisory(store, made, reader=MAINTAINER)
    return made, handle


def reached(store: Store, digest: str, who: Somebody = NOBODY) -> list[Reach]:
    with store.reading() as connection:
        return list(advisories_about(connection, digest, store.clock(), who))


def test_an_advisory_reaches_derivatives_as_a_question_with_its_probability(
    store: Store, family: dict[str, str]
) -> None:
    """What is listed has its status; a derivative is under investigation, with how probable the kinship is; a stranger hears nothing."""
    about = [{"digest": family["parent"], "what": "root", "label": "parent"}]
    made, _ = advised(store, finding(affected=about))
    [listed] = reached(store, family["parent"])
    assert (listed.how, listed.status, listed.kin) == (How.LISTED, "affected", None)
    for words in ("tuned", "q8"):
        [one] = reached(store, family[words])
        assert (one.advisory.id, one.how, one.status) == (made.id, How.PARENT, "under investigation")
        assert one.kin is not None and isinstance(one.kin.probability, float) and one.kin.probability > 0.9
    assert reached(store, family["stranger"]) == [] == reached(store, family["unread"])


def test_an_advisory_on_a_derivative_does_not_reach_its_parent(store: Store, family: dict[str, str]) -> None:
    advised(store, finding(affected=[{"digest": family["q8"], "what": "root", "label": "q8"}]))
    assert reached(store, family["parent"]) == []


def test_an_advisory_under_embargo_reaches_nobody_but_its_readers(store: Store, family: dict[str, str]) -> None:
    about = [{"digest": family["parent"], "what": "root", "label": "parent"}]
    until = store.clock().date() + timedelta(days=30)
    _, handle = advised(store, held(until=until, affected=about))
    for words in ("parent", "tuned"):
        assert reached(store, family[words]) == [] == reached(store, family[words], OTHER_TESTER)
        assert len(reached(store, family[words], FINDER)) == 1
    make_public(store, handle, reader=FINDER)
    assert len(reached(store, family["tuned"])) == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_followers_of_a_derivative_are_told_once_that_it_is_a_question(store: Store, family: dict[str, str]) -> None:
    with receiving() as receiver:
        begin(store, receiver.url, "digest", family["tuned"])
        begin(store, receiver.url, "digest", family["stranger"])
        advised(store, finding(affected=[{"digest": family["parent"], "what": "root", "label": "parent"}]))
        assert deliver(store) == 1 and deliver(store) == 0
        [(_, body)] = receiver.got
        assert b'"because":"kin"' in body and b'"status":"under investigation"' in body


def test_adoption_counts_derivatives_that_have_the_fix_and_says_where_lineage_is_not_measured(
    store: Store, family: dict[str, str]
) -> None:
    """The fix is a derivative with a re-test; the others are under investigation; without a fingerprint nothing is counted, which is not none."""
    about = [{"digest": family["parent"], "what": "root", "label": "parent"}]
    people = {"by": {"name": "B", "role": "tester", "party": "third"}, "on": "2026-11-26"}
    sides = {
        "before": {"subject": family["parent"], "rate": estimate(0.6, 0.8)},
        "after": {"subject": family["fix"], "rate": estimate(0.01, 0.1)},
    }
    retest = {**people, **sides, "rung": "weights", "prompts": family["stranger"]}
    change = {"level": "weights", "changed": "x", "findings": ["letter"], "new_digest": family["fix"], "retest": retest}
    listed = [
        Listed(digest=family["parent"], what=What.ROOT, label="parent", declared=Status.AFFECTED),
        Listed(digest=family["fix"], what=What.ROOT, label="fix", declared=Status.FIXED),
    ]
    made, _ = advised(
        store,
        finding(affected=about),
        digests=tuple(listed),
        mitigations=(Mitigation.model_validate(change),),
    )
    with store.reading() as connection:
        found = adoption(connection, made, store.clock())
        assert {each.label: (each.status, each.has_fix, each.retested) for each in found.derivatives} == {
            "tuned": ("under investigation", False, False),
            "q8": ("under investigation", False, False),
            "fix": ("fixed", True, True),
        }
        assert (found.count("retested"), found.count("under investigation"), found.not_measured) == (1, 2, ())
        assert reached(store, family["fix"])[0].how is How.LISTED
        unread = made.model_copy(
            update={"digests": (listed[0].model_copy(update={"digest": family["unread"], "label": "unread"}),)}
        )
        found = adoption(connection, unread, store.clock())
        assert not found.is_measured and [label for label, _ in found.not_measured] == ["unread"]
