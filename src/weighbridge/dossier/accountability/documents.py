"""The documents' texts: Markdown from templates. Whatever is put into a template is escaped, unless it was made as Markdown here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, partial

from jinja2 import Environment, PackageLoader, StrictUndefined

from weighbridge.dossier.accountability.asked import ASKED, DOCUMENTS, Role, Sector, UseFacts
from weighbridge.dossier.accountability.facts import (
    Row,
    category_rows,
    file_rows,
    flagged,
    limits,
    model_rows,
    open_points,
    rung_rows,
    testing_rows,
)
from weighbridge.dossier.card import escaped
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.wording import verdict_words
from weighbridge.evidence.attestations import Attestation, Standing, Status, new_attestations_text, no_evidence
from weighbridge.evidence.provenance import Provenance

TEMPLATES = ("impact-assessment.md", "transparency-notice.md", "roles.md", "recourse-notice.md")
_LONG = 2000
_MARKS = {
    Provenance.CHECKED: "",
    Provenance.SECONDARY: " [secondary]",
    Provenance.UNVERIFIED: " [unverified]",
    Provenance.NOBODY_LOOKED: " [nobody looked]",
}


class Markdown(str):
    """Text that is Markdown of ours, its foreign parts escaped already."""

    __slots__ = ()


@dataclass(frozen=True)
class Attested:
    """An attestation with how it stands to its document. `against`: why it does not speak here at all (another subject or use); None: it does."""

    attestation: Attestation
    standing: Standing
    against: str | None = None


def render_documents(
    record: DossierRecord,
    dossier_digest: str,
    use: UseFacts,
    sector: Sector,
    *,
    today: date,
    attested: Mapping[str, Attested] | None = None,
) -> dict[str, str]:
    """Return the documents by file name. The same input gives the same text.

    `attested`: by document; what expired by `today` or is no evidence leaves its blank open and says so. `dossier_digest` is that of dossier.json.
    """
    scene = _Scene(record, dossier_digest, use, sector, attested or {}, today)
    return {
        name: _environment().get_template(f"{name}.j2").render(scene.names(public="notice" in name))
        for name in TEMPLATES
    }


def new_attestations(record: DossierRecord, use: UseFacts, today: date) -> str:
    """Return a file of attestations to begin with, bound to the model and the use."""
    return new_attestations_text(
        today=today,
        subject=record.candidate.identity,
        use=use.id,
        documents=[f"{name} ({role.value})" for name, role in DOCUMENTS.items()],
    )


class _Scene:
    def __init__(
        self,
        record: DossierRecord,
        dossier_digest: str,
        use: UseFacts,
        sector: Sector,
        attested: Mapping[str, Attested],
        today: date,
    ) -> None:
        self._record, self._digest, self._use, self._sector = record, dossier_digest, use, sector
        self._attested, self._today = attested, today

    def names(self, *, public: bool) -> dict[str, object]:
        """What a template may use. `public`: a document for everybody, in which people are named by their roles only."""
        record = self._record
        rung, categories = category_rows(record)
        return {
            "record": record,
            "use": self._use,
            "sector": self._sector.value,
            "government": self._sector is Sector.GOVERNMENT,
            "dossier_digest": self._digest,
            "made_on": f"{record.made_at:%Y-%m-%d}",
            "verdict": verdict_words(record.headline.verdict),
            "blank": self.blank,
            "confirm": self.confirm,
            "asked": self.asked,
            "attested": partial(self.attested, public=public),
            "from_": _from,
            "long": _paragraph,
            "model": _table((*model_rows(record), *file_rows(record))),
            "testing": _table(testing_rows(record)),
            "limits": _table(limits(record)),
            "open_points": _table(open_points(record)),
            "rungs": tuple(rung_rows(record)),
            "open_rung": rung,
            "categories": categories,
            "flagged": flagged(record),
            "documents": [(name, role.value) for name, role in DOCUMENTS.items()],
            "licences": ", ".join(dict.fromkeys(part.licence or "not found" for part in record.candidate.components))
            or "not found",
        }

    def blank(self, role: str, hint: str) -> Markdown:
        """Return a blank that nobody can overlook. `role` is a name of `Role`."""
        return Markdown(f"**TO BE COMPLETED BY: {Role[role].value}.** {escaped(hint[:1].upper() + hint[1:], _LONG)}")

    def confirm(self, role: str, promise: str) -> Markdown:
        """Return a promise that only the deployer can make: a blank until somebody does."""
        return self.blank(role, f'confirm or change: "{promise}"')

    def asked(self, *sections: str) -> Markdown:
        """Return which instruments ask for a section, each with its mark, and whether they bind this deployer."""
        said = []
        for one in dict.fromkeys(one for section in sections for one in ASKED[section]):
            binds = (
                " (binds federal agencies, not a private deployer; kept as good practice)"
                if self._unbound(one.government_only)
                else ""
            )
            said.append(f"{escaped(one.by)}{_MARKS[one.provenance]}{binds}")
        return Markdown(f"*Asked for by: {'; '.join(said)}.*")

    def _unbound(self, government_only: bool) -> bool:
        return government_only and self._sector is Sector.PRIVATE

    def attested(self, document: str, what: str = "", *, public: bool) -> Markdown:
        """Return what is attested of a document, or the blank for it. `what` says in a few words what it shows."""
        ask = f"{what} (attest it as {document})" if what else f"attest it as {document}"
        blank = self.blank(DOCUMENTS[document].name, ask)
        found = self._attested.get(document)
        if found is None:
            return blank
        why = self._no_evidence(document, found)
        if why is not None:
            return Markdown(f"{blank}.<br>An attestation is there and does not count: {escaped(why, 600)}.")
        told = f"{_told(found.attestation, public=public)} (source: attestations.yaml)"
        if found.attestation.status in (Status.DONE, Status.NOT_APPLICABLE):
            return Markdown(f"{escaped(what)}: {told}" if what else told)
        return Markdown(f"{blank}.<br>So far: {told}.")

    def _no_evidence(self, document: str, found: Attested) -> str | None:
        """Return why an attestation counts for nothing here, or None when it counts."""
        one = found.attestation
        if found.against is not None:
            return found.against
        if one.at > self._today:
            return f"it is dated {one.at}, which is to come"
        if one.expired(self._today):
            return f"it expired on {one.until}"
        if document == "independent-review" and one.status is Status.DONE and not one.independent:
            return "whoever signed it is not said to be independent"
        return no_evidence(one, found.standing)


def _told(one: Attestation, *, public: bool) -> str:
    who = escaped(one.role if public else f"{one.who}, {one.role}")
    independent = ", who took no part in the work" if one.independent else ""
    until = f", valid until {one.until}" if one.until else ""
    by = f", waived by {escaped(one.waived_by)}" if one.waived_by and not public else ""
    why = f" because {escaped(one.why, 600)}" if one.why else ""
    document = f"; document {escaped(one.file, 500)}, `{one.digest}`" if one.file and not public else ""
    note = f"; {escaped(one.note, 600)}" if one.note and not public else ""
    return f"**attested as {one.status.value}**{why}{by}, by {who}{independent}, on {one.at}{until}{document}{note}"


def _from(place: str) -> Markdown:
    return Markdown(f"(source: dossier.json, `{place}`)")


def _paragraph(text: str) -> Markdown:
    """Return the headline escaped; rungs in backticks are ours and stay code."""
    return Markdown(re.sub(r"\\`(hosted|api|weights|modified)\\`", r"`\1`", escaped(text, 10_000)))


def _table(rows: Iterable[Row]) -> Markdown:
    """Return rows as a Markdown table, each with its source."""
    lines = ["| what | as the dossier says | source |", "| --- | --- | --- |"]
    lines += [f"| {escaped(row.what)} | {escaped(row.value, _LONG)} | {escaped(row.source)} |" for row in rows]
    return Markdown("\n".join(lines))


def _shown(value: object) -> object:
    """Escape what goes into a template, unless it is Markdown of ours."""
    return value if isinstance(value, Markdown) else escaped(str(value), _LONG)


@cache
def _environment() -> Environment:
    return Environment(  # Markdown, not HTML: `_shown` escapes every expression
        loader=PackageLoader("weighbridge.dossier.accountability"),
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701
    )
