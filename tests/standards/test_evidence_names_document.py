"""The documents and the template of a standard are what the schema and the names are now."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from pydantic import BaseModel

from weighbridge.errors import StandardError
from weighbridge.standards.files import new_standard_text, parse_standard
from weighbridge.standards.standard import (
    Attested,
    Cell,
    Citation,
    InForce,
    Level,
    Requirement,
    Source,
    Standard,
    Topic,
    Warned,
)

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "evidence_names_document.py"
MODELS: tuple[type[BaseModel], ...] = (
    Standard,
    Source,
    InForce,
    Requirement,
    Citation,
    Attested,
    Cell,
    Level,
    Warned,
)
FIELDS = sorted({field.alias or name for model in MODELS for name, field in model.model_fields.items()})


def test_the_document_of_names_is_current() -> None:
    """After a name was changed: `python scripts/evidence_names_document.py`."""
    made = runpy.run_path(str(SCRIPT))
    assert made["DOCUMENT"].read_text(encoding="utf-8") == made["document"]()


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_is_in_the_template_and_in_the_format(field: str) -> None:
    """A field that is added to the schema is explained in both."""
    assert re.search(rf"\b{field}:", new_standard_text("x")), "the template"
    format_page = (ROOT / "docs" / "formats" / "standard.md").read_text(encoding="utf-8")
    assert f"`{field}`" in format_page, "the page"


@pytest.mark.parametrize("topic", Topic)
def test_the_format_names_every_topic(topic: Topic) -> None:
    """Tables are grouped by them."""
    page = (ROOT / "docs" / "formats" / "standard.md").read_text(encoding="utf-8")
    assert topic.value in " ".join(page.split())


def test_a_new_standard_loads_as_it_is_and_with_every_optional_line_used() -> None:
    """Nobody has to repair what they begin with."""
    text = new_standard_text("our-terms")
    assert parse_standard(text, "new").id == "our-terms"
    whole = re.sub(r"(?m)^( *)# ([a-z_]+: )", r"\1\2", text)
    standard = parse_standard(whole, "new")
    assert standard.when and standard.supersedes and standard.in_force.until and standard.notes and standard.source.published  # fmt: skip
    assert any(one.attested and one.attested.role and one.attested.independent for one in standard.requirements)
    assert any(one.partly and one.remark and one.warns for one in standard.requirements)


@pytest.mark.parametrize("name", ["two words", "", 'a"b', "a\nb: 1", "{{id}}"])
def test_an_id_that_cannot_be_one_is_refused(name: str) -> None:
    """It is an error about the standard, whatever the id does to the file."""
    with pytest.raises(StandardError):
        new_standard_text(name)
