"""Results to rank: rows by hand, dossiers with chosen rates, and registries filled without signing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert

from tests.registry.databases import NOW, model, weighed
from weighbridge.digests import digest_bytes, digest_json
from weighbridge.dossier.record import DossierRecord, Gap
from weighbridge.evidence.records import Estimate, EstimateOrNot, Measure, NotMeasured, Rate, Reason
from weighbridge.protocol.vocabulary import Rung
from weighbridge.registry.rankings.records import RankedBenchmark, RankedGrader, Ranking
from weighbridge.registry.rankings.table import ResultRow
from weighbridge.registry.tables import name_key, publications
from weighbridge.registry.tables.rates import rankings, rates

LATER = NOW + timedelta(days=100)
BENCHMARK = RankedBenchmark(name="suite", version="1", digest=digest_bytes(b"prompts"))
GRADER = RankedGrader(name="offline", identity="offline@" + digest_bytes(b"grader"))


def in_time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def row(subject: str, value: float | None, measured: int = 100, lost: int = 0, **changes: Any) -> ResultRow:
    """A result that stands. `value` None: not measured, for `reason`."""
    known = value is not None
    fields: dict[str, Any] = {
        "envelope": changes.pop("envelope", f"{subject} {changes.get('signer', 'a')}"),
        "subject": subject,
        "label": subject.title(),
        "closed": subject.startswith("closed:"),
        "signer": "a",
        "until": in_time(LATER),
        "revoked": False,
        "superseded": False,
        "value": value,
        "measured": measured if known else None,
        "lost": lost if known else None,
        "low": value,
        "high": value,
        "reason": None if known else Reason.PROVIDER_ERROR.value,
        "protocol": "p",
    }
    return ResultRow(**{**fields, **changes})


def estimate(value: float, measured: int = 100, lost: int = 0, not_needed: int = 0) -> Estimate:
    missing = {Reason.PROVIDER_ERROR: lost, Reason.NOT_NEEDED: not_needed}
    return Estimate(
        value=value,
        low=max(0.0, value - 0.1),
        high=min(1.0, value + 0.1),
        level=0.95,
        method="Wilson, graded values",
        n_planned=measured + lost + not_needed,
        n_measured=measured,
        missing={reason: count for reason, count in missing.items() if count},
    )


def record(label: str, found: Mapping[Rung, EstimateOrNot], **changes: Any) -> DossierRecord:
    """A dossier of a model of its own, with the same harm rate by both aggregates on each rung. A rung that is not named was not promised."""
    subject = model(label)
    own = subject.identity
    measured = [
        Rate(
            subject=own,
            rung=rung,
            measure=Measure.HARM,
            benign=False,
            category=None,
            verb=None,
            technique=how,
            rate=rate,
        )
        for rung, rate in found.items()
        for how in ("mean", "worst")
    ]
    why = NotMeasured(reason=Reason.NOT_IN_PROTOCOL)
    gaps = tuple(Gap(subject=own, where=rung.value, why=why, count=1) for rung in Rung if rung not in found)
    return weighed().model_copy(
        update={"candidate": subject, "rates": tuple(measured), "gaps": gaps, "comparisons": (), **changes}
    )


def ranking(rung: Rung = Rung.API, **changes: Any) -> Ranking:
    return Ranking(
        **{
            "benchmark": BENCHMARK,
            "grader": GRADER,
            "of": "rate",
            "rung": rung,
            "aggregate": "mean",
            "asking": {},
            **changes,
        }
    )


def fill(connection: Connection, of: Ranking, results: Iterable[tuple[str, float, int]], *, log: bool = True) -> None:
    """Put results (label, value, prompts) of a known signer into a registry without a dossier, with their entries in the log.

    A label that begins with `closed:` is a closed model's provider and name.
    """
    number = -1_000_000_000  # before all others: these are no links of the chain
    described = {
        "ranking": of.digest,
        "benchmark": of.benchmark.digest,
        "grader": of.grader_digest,
        "rung": of.rung.value,
        "said": of.model_dump_json(),
        "is_known": True,
    }
    connection.execute(insert(rankings), described)
    published, measured, entries = [], [], []
    for place, (label, value, prompts) in enumerate(results):
        digest = digest_json({"label": label, "place": place})
        closed = label.removeprefix("closed:").partition("/") if label.startswith("closed:") else None
        root = digest_bytes(label.encode()) if closed is None else None
        subject = root or f"closed:{name_key(closed[0], closed[2])}" if closed else root
        published.append(
            {
                "envelope": digest,
                "statement": digest,
                "dossier": digest,
                "root": root,
                "provider": closed[0] if closed else None,
                "name": closed[2] if closed else None,
                "name_key": name_key(closed[0], closed[2]) if closed else None,
                "label": label,
                "label_key": label.casefold(),
                "weighed_at": NOW,
                "made_at": NOW,
                "valid_until": LATER,
                "published_at": NOW,
                "signer": "known",
                "signer_known": True,
                "facts": "{}",
            }
        )
        found = estimate(value, prompts)
        measured.append(
            {
                "envelope": digest,
                "ranking": of.digest,
                "subject": subject,
                "is_known": True,
                "protocol": digest_bytes(b"protocol"),
                "calibrated": "enable",
                **found.model_dump(include={"value", "low", "high", "level", "n_planned", "n_measured"}),
                "n_lost": 0,
                "reason": None,
                "detail": None,
            }
        )
        entries.append({"number": number + place, "kind": "published", "subject": subject, "line": "{}"})
    for at in range(0, len(published), 5_000):
        connection.execute(insert(publications), published[at : at + 5_000])
        connection.execute(insert(rates), measured[at : at + 5_000])
        if log:
            connection.execute(insert(publications.metadata.tables["audit"]), entries[at : at + 5_000])
