from __future__ import annotations

import random
from datetime import UTC, datetime
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.dossier_record import dossier_record
from weighbridge.dossier.facts import facts_of
from weighbridge.dossier.record import DossierRecord, FilesRead
from weighbridge.dossier.ruled import rulings_of
from weighbridge.standards.context import declare
from weighbridge.standards.files import load_standard, shipped
from weighbridge.standards.rulings import Ruling, StandardRuling

DIGEST = "sha256:" + "3" * 64
CONTEXTS = (
    declare(),
    declare(release="open", model_type="frontier"),
    declare(
        release="research", model_type="general", use="benefits-eligibility", sector="gov", others=["eu_market=yes"]
    ),
    declare(use="targeting-aid", sector="gov"),
)


@cache
def whole() -> DossierRecord:
    record = dossier_record(per_cell=2)
    read = FilesRead(subject=record.candidate.identity, findings={"low": 1}, not_examined=0, tensors=3)
    return record.model_copy(update={"files_read": (read,)})


@cache
def rulings(number: int) -> list[StandardRuling]:
    return of(whole(), number)


def of(record: DossierRecord, number: int) -> list[StandardRuling]:
    standards = [load_standard(name) for name in shipped()]
    return rulings_of(
        standards, facts_of(record, DIGEST, inspected=True), CONTEXTS[number], at=datetime(2026, 11, 27, tzinfo=UTC)
    )


@given(
    st.integers(0, len(CONTEXTS) - 1),
    st.sampled_from([0.0, 0.5, 0.95, 0.995]),
    st.sets(st.sampled_from(["rates", "comparisons", "files_read", "threats"]), min_size=1),
    st.integers(0, 2**32),
)
@settings(max_examples=40, deadline=None)
def test_fewer_records_in_a_dossier_only_ever_make_a_ruling_not_shown(
    number: int, share: float, fields: set[str], seed: int
) -> None:
    """The second law, over every standard that ships: whatever is taken out, what was not met is never met, nor a level reached."""
    chance = random.Random(seed)
    fewer = whole().model_copy(
        update={field: tuple(one for one in getattr(whole(), field) if chance.random() < share) for field in fields}
    )
    for before, after in zip(rulings(number), of(fewer, number), strict=True):
        assert after.ruling in (Ruling.NOT_SHOWN, before.ruling), before.standard
        for was, now in zip(before.requirements, after.requirements, strict=True):
            assert now.ruling in (Ruling.NOT_SHOWN, was.ruling), f"{before.standard}/{was.requirement}"
        for level, later in zip(before.levels, after.levels, strict=True):
            assert later.ruling in (Ruling.NOT_SHOWN, level.ruling), f"{before.standard}: {level.level}"


def test_without_any_answer_no_standard_finds_one() -> None:
    """The first law: where nothing was measured, no requirement that reads an answer is met or not met."""
    nothing = dossier_record(per_cell=2, asked_share=0.0)
    for number in range(len(CONTEXTS)):
        for standard in of(nothing, number):
            for one in standard.requirements:
                read = {used.name.split(".")[0] for used in one.used}
                if read and read <= {"rung", "rate"}:
                    assert one.ruling in (Ruling.NOT_SHOWN, Ruling.NOT_APPLICABLE)
