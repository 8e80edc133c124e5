"""Files of findings and advisories: what loads, what is refused with its lines, the template, and regression prompts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.findings.built import CATEGORIES, HOSTILE, TODAY, advisory_data, finding, finding_data
from weighbridge.errors import UsageError
from weighbridge.findings.advisory import Advisory
from weighbridge.findings.files import FindingError, load, new_finding_text, parse, toml_lines
from weighbridge.findings.finding import Finding
from weighbridge.findings.regression import regression_prompts
from weighbridge.probes.harms.public_sets import load_prompts
from weighbridge.protocol.vocabulary import Category, Verb

TOML = """
schema = "weighbridge.finding/1"
id = "letter"
csam_involved = false
title = '''
A title
'''
category = "privacy"
verb = "enable"
severity = "high"
rung = "api"
found_on = "2026-11-01"

[[affected]]
digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
what = "root"
label = "one"

[[affected]]
digest = "no digest"
what = "file"
label = "two"

[reproduce]
steps = ["do this"]

[found_by]
name = "me"
role = "tester"
party = "third"

[disclosure]
state = "public"
"""


def test_the_template_loads_as_it_is() -> None:
    """Every line of it is valid, and it is a draft."""
    made = parse(new_finding_text("my-finding", today=TODAY), "x.yaml")
    assert isinstance(made, Finding)
    assert (made.id, made.disclosure.state.value) == ("my-finding", "draft")
    with pytest.raises(FindingError):
        new_finding_text("no spaces: []", today=TODAY)


def test_every_problem_comes_with_its_line_in_yaml(tmp_path: Path) -> None:
    """Unknown keys, wrong values and rules between fields alike."""
    text = new_finding_text("my-finding", today=TODAY).replace("state: draft", "state: public")
    text = text.replace("severity: medium", "severity: dire").replace("role:", "rule:")
    path = tmp_path / "f.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FindingError) as caught:
        load(path)
    lines = text.splitlines()
    for problem in caught.value.problems:
        number, place = problem.removeprefix("line ").split(": ")[:2]
        assert place.rsplit(".", 1)[-1].split("[")[0] in (lines[int(number) - 1] + " role published_on")
    told = " ".join(caught.value.problems)
    assert "severity" in told
    assert "found_by.rule: unknown key" in told
    assert "published_on" in told


def test_every_problem_comes_with_its_line_in_toml() -> None:
    """Lists of tables and what follows a text of several lines keep their lines."""
    with pytest.raises(FindingError) as caught:
        parse(TOML, "f.toml")
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["line 20", "line 32"]
    assert TOML.splitlines()[19] == 'digest = "no digest"'
    assert TOML.splitlines()[31] == "[disclosure]"


@given(st.text(max_size=200))
@settings(max_examples=60, deadline=None)
def test_no_text_breaks_the_finding_of_lines(text: str) -> None:
    """Whatever the text, lines are lines of it."""
    assert all(1 <= number <= len(text.splitlines()) for number in toml_lines(text).values())


def test_the_schema_says_which_it_is() -> None:
    """An advisory is read as one; an unknown schema is refused at its line."""
    assert isinstance(parse(yaml.safe_dump(advisory_data()), "a.yaml"), Advisory)
    with pytest.raises(FindingError, match="line 1: schema: must be"):
        parse("schema: other/1\nid: x\n", "a.yaml")


def test_a_flagged_file_is_refused_before_anything_in_it_is_read() -> None:
    """Only the way to report it is said, and nothing of the file, however broken the rest."""
    for flag in (True, "yes", 1):
        with pytest.raises(FindingError) as caught:
            parse(yaml.safe_dump({"csam_involved": flag, "title": "SECRET", "severity": "SECRET"}), "a.yaml")
        assert len(caught.value.problems) == 1
        assert "hotline" in str(caught.value)
        assert "SECRET" not in str(caught.value)


@given(CATEGORIES, st.sampled_from(list(Verb)), st.text(min_size=1, max_size=30).filter(str.strip))
@settings(max_examples=40, deadline=None)
def test_regression_prompts_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, category: Category, verb: Verb, text: str
) -> None:
    """Same category, verb and text, one cluster, and ids that hold the finding's digest."""
    made = finding(category=category.value, verb=verb.value, reproduce={"asks": ["first", text], "prompt_ids": ["a.1"]})
    path = tmp_path_factory.mktemp("regress") / "p.jsonl"
    path.write_bytes(regression_prompts(made, {"a.1": "third"}).encode())
    prompts = load_prompts(path).prompts
    assert {one.text for one in prompts} == {*made.reproduce.asks, "third"}
    assert {(one.category, one.verb) for one in prompts} == {(category, verb)}
    name = f"letter@{made.digest[7:23]}"
    assert {one.cluster for one in prompts} == {name}
    assert all(one.id.startswith(name) for one in prompts)


def test_regression_ids_are_bound_to_what_was_found() -> None:
    """Another finding of the same name gives other ids; the disclosure does not change them."""
    first = finding(reproduce={"asks": ["x"]})
    other = finding(reproduce={"asks": ["x"]}, severity="low")
    ids = [json.loads(regression_prompts(one, {}))["id"] for one in (first, other)]
    assert len(set(ids)) == 2


def test_what_cannot_be_asked_is_refused() -> None:
    """Steps alone, ids without a known text, and child sexual exploitation give no file."""
    with pytest.raises(UsageError, match="steps only"):
        regression_prompts(finding(reproduce={"steps": ["click"]}), {})
    with pytest.raises(UsageError, match=r"no text is known of privacy\.enable\.01"):
        regression_prompts(finding(), {})
    bare = finding(category="child_sexual_exploitation", title=None, reproduce={"prompt_ids": ["a.1"]})
    with pytest.raises(UsageError, match=r"ask the suite that holds its prompts: a\.1"):
        regression_prompts(bare, {"a.1": "SECRET"})


def test_hostile_words_are_only_words() -> None:
    """A finding of any words loads; ids refuse them."""
    assert finding(title=HOSTILE).title
    with pytest.raises(FindingError):
        parse(yaml.safe_dump(finding_data(id="<b>")), "a.yaml")
