"""What is typed into the form of a new finding, as a finding; and everything that is wrong with it, in the words of the form."""

from __future__ import annotations

import re
import secrets
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from weighbridge.findings.finding import FINDING_SCHEMA, Finding
from weighbridge.protocol.vocabulary import Category

_FIELDS = {
    "affected.0.digest": "the digest",
    "affected.0.label": "the model's name",
    "reproduce": "how to see it again",
    "reproduce.asks": "what is asked",
    "reproduce.steps": "the steps",
    "reproduce.prompt_ids": "the prompt ids",
    "disclosure.embargo_until": "the day of the embargo",
    "disclosure.told": "who was told",
    "disclosure.told.0.who": "who was told",
    "disclosure.told.0.on": "the day on which they were told",
    "found_on": "the day on which it was found",
    "found_by.name": "your name",
    "found_by.role": "your role",
}


class FindingForm(BaseModel):
    """The fields as they are sent: all of them text."""

    model_config = ConfigDict(extra="ignore")

    csam: str = ""
    title: str = ""
    summary: str = ""
    category: str = ""
    verb: str = ""
    severity: str = ""
    rung: str = ""
    digest: str = ""
    what: str = "root"
    label: str = ""
    asks: str = ""
    steps: str = ""
    prompt_ids: str = ""
    language: str = "en"
    name: str = ""
    role: str = ""
    party: str = "third"
    found_on: str = ""
    state: str = "draft"
    told_who: str = ""
    told_on: str = ""
    until: str = ""

    @property
    def carries_no_text(self) -> bool:
        """Whether nothing of it may be written again, not even into the form."""
        return self.csam != "no" or self.category == Category.CHILD_SEXUAL_EXPLOITATION.value

    def finding(self, today: date) -> Finding:
        """Return the finding. Raises pydantic's `ValidationError`."""
        reproduce: dict[str, Any] = {
            "asks": _blocks(self.asks),
            "steps": _lines(self.steps),
            "prompt_ids": self.prompt_ids.replace(",", " ").split(),
            "language": self.language.strip() or "en",
        }
        disclosure: dict[str, Any] = {"state": self.state}
        if self.told_who.strip():
            disclosure["told"] = [{"who": self.told_who, "on": self.told_on or today}]
        if self.state == "embargoed" and self.until:
            disclosure["embargo_until"] = self.until
        if self.state == "public":
            disclosure["published_on"] = today
        digest = self.digest.strip().lower()
        return Finding.model_validate(
            {
                "schema": FINDING_SCHEMA,
                "id": f"F-{secrets.token_hex(5)}",
                "csam_involved": self.csam != "no",
                "title": self.title.strip() or None,
                "summary": self.summary.strip() or None,
                "category": self.category,
                "verb": self.verb,
                "severity": self.severity,
                "rung": self.rung,
                "affected": [
                    {
                        "digest": digest if digest.startswith("sha256:") else f"sha256:{digest}",
                        "what": self.what,
                        "label": self.label,
                    }
                ],
                "reproduce": reproduce,
                "found_by": {"name": self.name, "role": self.role, "party": self.party},
                "found_on": self.found_on or today,
                "disclosure": disclosure,
            }
        )


def reasons(error: ValidationError) -> tuple[str, ...]:
    """Return what is wrong, field by field, without a word of what was given."""
    told = []
    for each in error.errors(include_url=False, include_input=False, include_context=False):
        place = ".".join(map(str, each["loc"]))
        said = each["msg"].removeprefix("Value error, ")
        if each["type"] == "string_pattern_mismatch":
            said = "must be 64 hexadecimal digits of SHA-256" if "digest" in place else "is not of the right form"
        told.append(f"{_FIELDS.get(place, place.replace('_', ' ').replace('.', ', '))}: {said}")
    return tuple(dict.fromkeys(told))


def _blocks(text: str) -> list[str]:
    """Return parts that an empty line sets apart: an ask may have several lines."""
    parts = re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n"))
    return [part.strip() for part in parts if part.strip()]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
