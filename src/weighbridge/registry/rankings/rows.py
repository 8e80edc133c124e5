"""What a dossier gives to rankings: its candidate's harm, overall, by everything that results must have in common to be compared.

For each rung both rates, whether measured or not, and each contrast that was made. Rows are made when a dossier is published, from the files that
were signed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from weighbridge.digests import canonical_json, digest_bytes, digest_json
from weighbridge.dossier.lookup import AGGREGATES, Rates
from weighbridge.dossier.record import DossierRecord
from weighbridge.errors import ProtocolError
from weighbridge.evidence.records import Comparison, Estimate, EstimateOrNot, Measure, NotMeasured, Reason
from weighbridge.protocol.model import AssessmentProtocol
from weighbridge.protocol.typed_files import TypedFile
from weighbridge.protocol.vocabulary import Contrast, Rung
from weighbridge.registry.rankings.records import RankedBenchmark, RankedGrader, Ranking, of_contrast
from weighbridge.registry.tables.rates import rankings, rates
from weighbridge.subject.shown import shown

_PROTOCOL = TypedFile("protocol", AssessmentProtocol, ProtocolError)
MOST_PROMPTS = 1_000_000_000
MOST_CONTRASTS = 200
MOST_LETTERS = 300
MOST_ASKING_BYTES = 4_000

_INTERFACE = (Rung.HOSTED, Rung.API)
_BATCH = 500


@dataclass(frozen=True)
class Rated:
    """One result, and the ranking it belongs to. `judged`: of a contrast, the interval that its verdict stands on."""

    ranking: Ranking
    protocol: str
    calibrated: tuple[str, ...]
    rate: EstimateOrNot
    judged: Estimate | None = None


def rated_in(files: Mapping[str, bytes]) -> tuple[Rated, ...]:
    """Return the results in a dossier's files, of which `dossier.json` is one."""
    return tuple(rated(DossierRecord.model_validate_json(files["dossier.json"]), files.get("protocol.toml")))


def write_rates(connection: Connection, envelope: str, subject: str, found: Sequence[Rated]) -> None:
    """Write a publication's rows within the caller's transaction. `subject`: what its dossier is about."""
    by_digest = {each.ranking.digest: each.ranking for each in found}
    there: set[str] = set()
    for at in range(0, len(by_digest), _BATCH):
        batch = list(by_digest)[at : at + _BATCH]
        there |= set(connection.execute(select(rankings.c.ranking).where(rankings.c.ranking.in_(batch))).scalars())
    new = [_described(digest, each) for digest, each in by_digest.items() if digest not in there]
    if new:
        connection.execute(insert(rankings), new)
    connection.execute(insert(rates), [_row(envelope, subject, each) for each in found])


def know_rates(connection: Connection, envelope: str) -> None:
    """Note that a publication whose rows are written is a known signer's: only what one of these measured is offered as a ranking."""
    connection.execute(update(rates).where(rates.c.envelope == envelope).values(is_known=True))
    measured = select(rates.c.ranking).where(rates.c.envelope == envelope, rates.c.value.is_not(None))
    connection.execute(update(rankings).where(rankings.c.ranking.in_(measured)).values(is_known=True))


def rated(record: DossierRecord, protocol: bytes | None) -> Iterator[Rated]:
    """Yield a dossier's results, each ranking once. `protocol`: the file of what was promised; where it is not at hand, the digest stands for it."""
    promised = _promised(record, protocol)
    suite = record.suite
    benchmark = RankedBenchmark(name=_short(suite.name), version=_short(suite.version), digest=suite.digest)
    grader = RankedGrader(name=_short(record.grader.name), identity=_short(record.grader.identity))
    calibrated = tuple(verb.value for verb in record.grader.calibrated_verbs)
    rates_of, own = Rates(record.rates), record.candidate.identity
    for rung in Rung:
        for aggregate in AGGREGATES:
            ranking = Ranking(
                benchmark=benchmark,
                grader=grader,
                of="rate",
                rung=rung,
                aggregate=aggregate,
                asking=_bounded(asking_of(promised, record.protocol, rung)),
            )
            found = rates_of.find(own, rung, Measure.HARM, technique=aggregate)
            yield Rated(ranking, record.protocol, calibrated, _possible(_explained(found, record, rung), 0.0))
    seen: set[str] = set()
    for one in record.comparisons:
        if (one.measure, one.scope, one.candidate.subject) != (Measure.HARM, "all", own):
            continue
        ranking = Ranking(
            benchmark=benchmark,
            grader=grader,
            of=of_contrast(one.contrast),
            rung=one.candidate.rung,
            aggregate=one.aggregate,
            asking=_bounded(_asking_of_contrast(promised, record.protocol, one)),
            against=None if one.contrast is Contrast.OPENING else _short(one.baseline.subject),
        )
        if ranking.digest not in seen and len(seen) < MOST_CONTRASTS:  # of what a dossier says twice, the first
            seen.add(ranking.digest)
            yield Rated(ranking, record.protocol, calibrated, _possible(one.estimate, -1.0), one.judged)


def asking_of(promised: AssessmentProtocol | None, protocol: str, rung: Rung) -> dict[str, Any]:
    """Return what of a protocol decides how prompts were asked on a rung. Which prompts is the benchmark's digest.

    What only decides when asking stops, how fast it goes or which verdict follows is left out, and so is the seed.

    >>> asking_of(AssessmentProtocol(), "", Rung.API)
    {'tries': 1, 'max_tokens': 128}
    """
    if promised is None:
        return {"protocol": protocol}
    ladder = promised.ladder
    if rung in _INTERFACE:
        return {"tries": ladder.api_tries, "max_tokens": ladder.max_tokens}
    fields = ladder.model_dump(mode="json", include={"techniques", "prefills", "sweep", "max_tokens"})
    techniques = sorted(fields.pop("techniques"))
    sweep = fields.pop("sweep")
    return {"techniques": techniques, **fields, **({"sweep": sweep} if "sampling" in techniques else {})}


def _asking_of_contrast(promised: AssessmentProtocol | None, protocol: str, one: Comparison) -> dict[str, Any]:
    if promised is None:
        return {"protocol": protocol}
    return {
        "candidate": {**asking_of(promised, protocol, one.candidate.rung), "used": sorted(one.candidate.techniques)},
        "baseline": {
            "rung": one.baseline.rung.value,
            **asking_of(promised, protocol, one.baseline.rung),
            "used": sorted(one.baseline.techniques),
        },
        "verbs": sorted(verb.value for verb in promised.judgement.verbs),
    }


def _promised(record: DossierRecord, protocol: bytes | None) -> AssessmentProtocol | None:
    """Return the protocol when the file at hand is the one that the dossier names. Nobody signed what another one says."""
    if protocol is None:
        return None
    try:
        found = _PROTOCOL.check(tomllib.loads(protocol.decode()), where="protocol.toml")
    except (ProtocolError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return None
    return found if found.digest == record.protocol else None


def _explained(found: EstimateOrNot, record: DossierRecord, rung: Rung) -> EstimateOrNot:
    """Return the rate, or why there is none. That a rung was not in the protocol counts only when the dossier says so of the rung itself.

    Otherwise taking a rate out of a dossier would look like never having promised one.
    """
    if isinstance(found, Estimate):
        return found
    own = record.candidate.identity
    told = [gap.why for gap in record.gaps if (gap.subject, gap.where) == (own, rung.value)]
    if told:
        return told[0]
    if found.reason is Reason.NOT_IN_PROTOCOL:
        return NotMeasured(reason=Reason.NOTHING_MEASURED, detail="the dossier has no such rate and does not say why")
    return found


def _possible(found: EstimateOrNot, least: float) -> EstimateOrNot:
    """Return the estimate, unless its numbers are none that prompts could give: records are checked for their form alone."""
    if isinstance(found, NotMeasured) or (least <= found.low and found.high <= 1 and found.n_planned <= MOST_PROMPTS):
        return found
    return NotMeasured(reason=Reason.NOTHING_MEASURED, detail="no answers to prompts could give such numbers")


def _short(text: str) -> str:
    """Return a text that names something, or for a long one its digest: nobody may fill the registry with names."""
    return text if len(text) <= MOST_LETTERS else digest_bytes(text.encode())


def _bounded(asking: dict[str, Any]) -> dict[str, Any]:
    return asking if len(canonical_json(asking)) <= MOST_ASKING_BYTES else {"digest": digest_json(asking)}


def _described(digest: str, ranking: Ranking) -> dict[str, Any]:
    return {
        "ranking": digest,
        "benchmark": ranking.benchmark.digest,
        "grader": ranking.grader_digest,
        "rung": ranking.rung.value,
        "said": ranking.model_dump_json(),
        "is_known": False,
    }


def _row(envelope: str, subject: str, each: Rated) -> dict[str, Any]:
    row = {
        "envelope": envelope,
        "ranking": each.ranking.digest,
        "subject": subject,
        "is_known": False,
        "protocol": each.protocol,
        "calibrated": ",".join(each.calibrated),
    }
    found = each.rate
    if isinstance(found, NotMeasured):
        nothing = dict.fromkeys(("value", "low", "high", "level", "n_planned", "n_measured", "n_lost"))
        return {**row, **nothing, "reason": found.reason.value, "detail": shown(found.detail, 300)}
    judged = each.judged or found
    return {
        **row,
        "value": found.value,
        "low": min(found.low, judged.low),
        "high": max(found.high, judged.high),
        "level": found.level,
        "n_planned": found.n_planned,
        "n_measured": found.n_measured,
        "n_lost": sum(count for reason, count in found.missing.items() if reason is not Reason.NOT_NEEDED),
        "reason": None,
        "detail": None,
    }
