"""Openness: a provider's decisions, joined with what was found, and what that is evidence of."""

from __future__ import annotations

import doctest
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.subject.gguf_writer import MODEL, gguf
from tests.subject.hub_directory import make_directory
from tests.subject.releases import CARD, licensed, make_full_release, make_weights_only
from weighbridge.errors import EvidenceError, UsageError
from weighbridge.evidence import openness
from weighbridge.evidence.openness import (
    FIELDS,
    Openness,
    OpennessError,
    found_text,
    load_openness,
    make_inventory,
    new_openness_text,
    openness_rows,
    openness_sources,
    openness_values,
    parse_found,
    parse_openness,
)
from weighbridge.standards.names import named
from weighbridge.subject.components import (
    ComponentFound,
    ComponentId,
    FoundComponents,
    Framework,
    LicenceClaim,
    find_in,
    found_in_record,
    sealed,
)
from weighbridge.subject.directory import describe_directory
from weighbridge.subject.model import Subject, SubjectKind
from weighbridge.subject.model_file import describe_model_file

SUBJECT = "sha256:" + "1" * 64
TODAY = date(2026, 11, 26)
NOTHING = sealed(SUBJECT)


def declared(
    components: Mapping[str, Any], *, subject: str = SUBJECT, licences: Mapping[str, str] | None = None
) -> Openness:
    return parse_openness(
        yaml.safe_dump(
            {
                "schema": "weighbridge.openness/1",
                "subject": subject,
                "decided_by": {"organisation": "A lab", "role": "release lead"},
                "date": "2026-11-26",
                "licences": dict(licences or {}),
                "components": dict(components),
            }
        ),
        "openness.yaml",
    )


def one(component: ComponentId, licence: str | None = None, disagree: bool = False) -> ComponentFound:
    claims = (LicenceClaim(name=licence, source="LICENSE: its text"),) if licence else ()
    return ComponentFound(
        component=component,
        files=(f"{component}.file",),
        file_count=1,
        licence=None if disagree else licence,
        claims=claims,
        disagree=disagree,
    )


def test_a_release_without_a_providers_file_is_what_was_found(tmp_path: Path) -> None:
    """Files speak for themselves; what is not found is not known, and says so."""
    inventory = make_inventory(find_in(make_weights_only(tmp_path / "m"), subject=SUBJECT))
    values, sources = openness_values(inventory), openness_sources(inventory)
    assert values["parameters_final.released"] is True
    assert values["parameters_final.licence"] == "llama3.2"
    assert values["parameters_final.licence_open"] is False
    assert "model.safetensors" in sources["parameters_final.released"]
    assert "README.md: license" in sources["parameters_final.licence"]
    for component in (ComponentId.DATASETS, ComponentId.TRAINING_CODE, ComponentId.MODEL_CARD):
        assert not any(key.startswith(f"{component}.") for key in values)
        assert "not found here" in sources[f"{component}.released"]


def test_a_full_release_is_open_by_each_components_own_licence(tmp_path: Path) -> None:
    """Weights under a licence for code are open and conditional; data under one for data fit."""
    values = openness_values(make_inventory(find_in(make_full_release(tmp_path / "m"), subject=SUBJECT)))
    assert all(values[f"{c}.released"] for c in ComponentId if c is not ComponentId.PROGRAMMING_LANGUAGES)
    assert (values["parameters_final.licence_open"], values["parameters_final.licence_fits"]) == (True, False)
    assert values["parameters_final.conditional"] is True
    assert (values["datasets.licence_open"], values["datasets.conditional"]) == (True, False)
    assert values["training_code.licence_fits"] is True


def test_every_key_is_a_name_that_standards_know_and_has_a_source(tmp_path: Path) -> None:
    """Whatever is told, known or not, has words for where it comes from, and a name that a condition may use."""
    inventory = make_inventory(find_in(make_full_release(tmp_path / "m"), subject=SUBJECT))
    sources = openness_sources(inventory)
    assert set(sources) == {f"{component}.{field}" for component in ComponentId for field in FIELDS}
    assert set(openness_values(inventory)) <= set(sources)
    assert all(sources.values())
    for key in sources:
        assert named(("component", *key.split("."))) is not None


def test_a_decision_fills_what_files_do_not_show() -> None:
    """Data that are published elsewhere are released where the provider says, under the licence that it names."""
    inventory = make_inventory(
        NOTHING,
        declared(
            {
                "datasets": {
                    "decision": "released",
                    "why": "others can check it",
                    "where": "https://example.org/data",
                    "licence": "as kind",
                    "risk_weighed": {"text": "personal data", "evidence": "rate.weights.harm"},
                },
                "training_code": {"decision": "withheld", "why": "not ours to give"},
                "tuning_data": {"decision": "planned"},
                "data_card": {"decision": "not applicable", "why": "the model card covers the data"},
                "model_card": {"decision": "released", "licence": "CC-BY-4.0"},
                "evaluation_data": {"decision": "partly", "where": "https://example.org/eval", "licence": "not stated"},
                "evaluation_code": {"decision": "released", "where": "eval.py", "licence": "unlicensed"},
            },
            licences={"data": "cdla-permissive-2.0"},
        ),
    )
    values, sources = openness_values(inventory), openness_sources(inventory)
    assert values["datasets.released"] is True
    assert values["datasets.licence"] == "CDLA-Permissive-2.0"
    assert values["datasets.licence_fits"] is True
    assert (values["datasets.reason_given"], values["datasets.risk_weighed"]) == (True, True)
    assert "A lab, release lead" in sources["datasets.released"]
    assert "the licence for data" in sources["datasets.licence"]
    assert values["training_code.released"] is False
    assert (values["training_code.reason_given"], values["training_code.risk_weighed"]) == (True, False)
    assert (values["tuning_data.released"], values["tuning_data.reason_given"]) == (False, False)
    assert (values["evaluation_data.released"], values["evaluation_data.partly"]) == (False, True)
    # Nobody can check a release without a place, or in files that do not hold it.
    for absent in ("data_card", "model_card", "evaluation_code"):
        assert f"{absent}.released" not in values
    assert values["model_card.licence_open"] is True
    # "Unlicensed" is not the name of a licence.
    assert values["evaluation_code.licence_open"] is False
    assert "evaluation_code.licence" not in values
    assert "evaluation_data.licence_open" not in values


def test_what_is_found_is_released_whatever_was_decided() -> None:
    """Weights that are declared withheld and lie in the directory are out, and the contradiction is shown."""
    found = sealed(SUBJECT, [one(ComponentId.PARAMETERS_FINAL, "MIT")])
    inventory = make_inventory(found, declared({"parameters_final": {"decision": "withheld"}}))
    item = inventory.items[ComponentId.PARAMETERS_FINAL]
    assert item.released is True
    assert item.remarks == ("declared withheld, yet found: parameters_final.file",)


@pytest.mark.parametrize(
    ("found", "said", "is_open"),
    [
        ("gemma", "MIT", False),
        ("MIT", "gemma", True),
        ("MIT", "mit", True),
        (None, "MIT", True),
        (None, "gemma", False),
    ],
)
def test_a_licence_in_the_files_is_decisive_over_a_declared_one(found: str | None, said: str, is_open: bool) -> None:
    """The provider's word neither opens nor closes what the files say; a difference is shown with both."""
    part = one(ComponentId.PARAMETERS_FINAL, found)
    inventory = make_inventory(
        sealed(SUBJECT, [part]), declared({"parameters_final": {"decision": "released", "licence": said}})
    )
    item = inventory.items[ComponentId.PARAMETERS_FINAL]
    assert item.licence_open is is_open
    differs = found is not None and found.lower() != said.lower()
    assert bool(item.remarks) is differs
    if differs:
        assert said in item.remarks[0]
        assert str(found) in item.remarks[0]


def test_files_that_disagree_are_not_settled_by_a_declaration() -> None:
    """Two places in the files that differ leave the licence not shown, whatever is declared."""
    found = sealed(SUBJECT, [one(ComponentId.PARAMETERS_FINAL, "gemma", disagree=True)])
    inventory = make_inventory(found, declared({"parameters_final": {"decision": "released", "licence": "MIT"}}))
    assert inventory.items[ComponentId.PARAMETERS_FINAL].licence is None
    assert "parameters_final.licence_open" not in openness_values(inventory)


def test_decisions_on_another_model_say_nothing_of_this_one() -> None:
    """A file that is bound to another digest does not count, and every key says why."""
    other = declared({"datasets": {"decision": "withheld"}}, subject="sha256:" + "2" * 64)
    inventory = make_inventory(NOTHING, other)
    assert openness_values(inventory) == {}
    assert "another subject" in openness_sources(inventory)["datasets.released"]
    assert inventory.refused is not None


# ---- the second law


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Subject]:
    """Subjects on disk, by what their licences are like."""
    root = tmp_path_factory.mktemp("releases")
    made = {
        "full": make_full_release(root / "full"),
        "weights": make_weights_only(root / "weights"),
        "conflict": licensed(make_directory(root / "conflict", card=CARD)),
        "plain": licensed(make_directory(root / "plain", card=None), "Gemma Terms of Use"),
    }
    gguf_file = root / "m.gguf"
    gguf_file.write_bytes(gguf({**MODEL, "general.license": "gemma", "tokenizer.ggml.model": "gpt2"}))
    subjects = {kind: describe_directory(path, reference=str(path)) for kind, path in made.items()}
    return {**subjects, "gguf": describe_model_file(gguf_file, reference=str(gguf_file))}


COMPONENTS = (ComponentId.PARAMETERS_FINAL, ComponentId.TRAINING_CODE, ComponentId.MODEL_CARD)
LICENCES = ("Apache-2.0", "CC-BY-4.0", "gemma", "Some terms", "MIT OR gemma", "OpenMDW-1.0")
RELEASES = ("released", "partly")


def decisions() -> st.SearchStrategy[dict[str, Any]]:
    opened = st.fixed_dictionaries(
        {
            "decision": st.sampled_from(RELEASES),
            "licence": st.sampled_from((*LICENCES, "as kind", "as distribution", "unlicensed")),
        },
        optional={"where": st.sampled_from(("https://example.org", "a/file"))},
    )
    return opened | st.fixed_dictionaries({"decision": st.sampled_from(("withheld", "planned", "not applicable"))})


def providers() -> st.SearchStrategy[Openness]:
    shared = st.fixed_dictionaries(
        {key: st.sampled_from(LICENCES) for key in ("code", "data", "document", "distribution")}
    )
    return st.builds(
        lambda parts, licences: declared(parts, licences=licences),
        st.dictionaries(st.sampled_from([str(c) for c in COMPONENTS]), decisions()),
        shared,
    )


def finds() -> st.SearchStrategy[FoundComponents]:
    part = st.builds(one, st.sampled_from(COMPONENTS), st.none() | st.sampled_from(LICENCES), st.just(False))
    return st.lists(part, max_size=3, unique_by=lambda found: found.component).map(lambda parts: sealed(SUBJECT, parts))


def never_better(less: Mapping[str, bool | str], more: Mapping[str, bool | str]) -> None:
    for key, value in less.items():
        if key.endswith((".released", ".licence_open", ".licence_fits")) and value is True:
            assert more.get(key) is True, key


@settings(max_examples=200, deadline=None)
@given(finds(), providers(), st.data())
def test_taking_the_providers_word_away_never_helps(
    found: FoundComponents, said: Openness, data: st.DataObject
) -> None:
    """Neither the whole file nor one decision can be dropped to turn anything into released, open or fitting."""
    whole = openness_values(make_inventory(found, said))
    never_better(openness_values(make_inventory(found)), whole)
    if said.components:
        gone = data.draw(st.sampled_from(sorted(said.components)))
        left = {key: value for key, value in said.components.items() if key != gone}
        never_better(openness_values(make_inventory(found, said.model_copy(update={"components": left}))), whole)


@settings(max_examples=200, deadline=None)
@given(finds(), providers(), st.data())
def test_taking_files_or_their_licences_away_never_helps(
    found: FoundComponents, said: Openness, data: st.DataObject
) -> None:
    """A model without a file, or without a licence in it, is another model, of which the provider's file does not speak."""
    whole = openness_values(make_inventory(found, said))
    if not found.components:
        return
    gone = data.draw(st.sampled_from(found.components))
    kept = [part for part in found.components if part is not gone]
    for parts in (kept, [*kept, one(gone.component)]):
        never_better(openness_values(make_inventory(sealed("sha256:" + "3" * 64, parts), said)), whole)


@settings(max_examples=100, deadline=None)
@given(providers(), st.sampled_from(("decision", "licence", "where")), st.data())
def test_taking_one_field_out_of_a_decision_never_helps(said: Openness, field: str, data: st.DataObject) -> None:
    """A decision without one of its fields is an error or says less: no licence steps in for one that was taken out."""
    if not said.components:
        return
    changed = data.draw(st.sampled_from(sorted(said.components)))
    parts = {str(key): value.model_dump(mode="json", exclude_none=True) for key, value in said.components.items()}
    parts[changed].pop(field, None)
    licences = said.licences.model_dump(exclude_none=True)
    try:
        less = declared(parts, licences=licences)
    except OpennessError:
        return
    never_better(openness_values(make_inventory(NOTHING, less)), openness_values(make_inventory(NOTHING, said)))


@settings(max_examples=100, deadline=None)
@given(providers(), st.sampled_from(("code", "data", "document", "distribution")))
def test_taking_a_shared_licence_away_never_helps(said: Openness, field: str) -> None:
    """A shared licence that a component takes cannot be dropped, and no other steps in for it."""
    parts = {str(key): value.model_dump(mode="json", exclude_none=True) for key, value in said.components.items()}
    licences = said.licences.model_dump(exclude_none=True)
    del licences[field]
    try:
        less = declared(parts, licences=licences)
    except OpennessError:
        return
    never_better(openness_values(make_inventory(NOTHING, less)), openness_values(make_inventory(NOTHING, said)))


def test_files_without_a_licence_of_their_own_can_go_and_nothing_improves(tmp_path: Path) -> None:
    """On a real directory, removing any one file that says nothing of licences improves nothing."""
    root = make_full_release(tmp_path / "m")
    whole = openness_values(make_inventory(find_in(root, subject=SUBJECT)))
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        content = path.read_bytes()
        path.unlink()
        never_better(openness_values(make_inventory(find_in(root, subject=SUBJECT))), whole)
        path.write_bytes(content)


@settings(max_examples=60, deadline=None)
@given(providers(), st.sampled_from(("full", "weights", "conflict", "plain", "gguf")))
def test_losing_the_record_of_finds_never_helps(releases: Mapping[str, Subject], said: Openness, kind: str) -> None:
    """A dossier without the record falls back on the subject's own, which never says more, whatever is declared."""
    subject = releases[kind]
    said = said.model_copy(update={"subject": subject.identity})
    whole = make_inventory(find_in(Path(subject.reference), subject=subject.identity), said)
    less = make_inventory(found_in_record(subject), said)
    never_better(openness_values(less), openness_values(whole))
    # And without any provider's file.
    never_better(
        openness_values(make_inventory(found_in_record(subject))),
        openness_values(make_inventory(find_in(Path(subject.reference), subject=subject.identity))),
    )


def test_a_subject_without_files_is_known_by_what_is_declared() -> None:
    """Of an endpoint there is nothing to look into, so the provider's word counts."""
    subject = Subject(kind=SubjectKind.ENDPOINT, reference="https://example.org/v1#m", label="m", digest=None)
    said = declared(
        {"model_card": {"decision": "released", "where": "https://example.org/card", "licence": "CC-BY-4.0"}},
        subject=subject.identity,
    )
    assert openness_values(make_inventory(found_in_record(subject), said))["model_card.released"] is True


# ---- the file


def test_the_template_loads_and_tells_what_was_found(tmp_path: Path) -> None:
    """A new file is filled from the find, loads as it is, and changes no value but those of decisions."""
    for number, root in enumerate(
        (
            make_full_release(tmp_path / "a"),
            make_weights_only(tmp_path / "b"),
            make_directory(tmp_path / "c", card=CARD),
        )
    ):
        found = find_in(root, subject=SUBJECT)
        text = new_openness_text(found, organisation='A "lab": x', role="lead", today=TODAY)
        path = tmp_path / f"{number}.yaml"
        path.write_text(text, "utf-8")
        told = load_openness(path)
        assert told.decided_by.organisation == 'A "lab": x'
        assert set(told.components) == {part.component for part in found.components}
        before, after = openness_values(make_inventory(found)), openness_values(make_inventory(found, told))
        assert {key: after[key] for key in before} == before
        assert all(after[f"{part.component}.reason_given"] is False for part in found.components)
        for component in ComponentId:
            assert f"{component}:" in text
    assert (
        parse_openness(new_openness_text(NOTHING, organisation="x", role="y", today=TODAY), "x.yaml").components == {}
    )


def test_all_that_is_wrong_is_told_at_once_with_its_line() -> None:
    """Each problem has its line and place."""
    text = """\
schema: weighbridge.openness/1
subject: sha256:1
decided_by: {organisation: A lab}
date: "2026-11-26"
components:
  parametres_final: {decision: released, licence: MIT}
  datasets: {decision: open, licence: MIT}
  training_code: {decision: released}
  model_card: {decision: withheld, licence: MIT}
  data_card: {decision: released, licence: MIT, where: ../outside}
  api: {decision: released, licence: MIT, where: "http://plain"}
"""
    with pytest.raises(OpennessError) as refused:
        parse_openness(text, "openness.yaml")
    told = "\n".join(refused.value.problems)
    for place in (
        "decided_by.role",
        "parametres_final",
        "datasets.decision",
        "training_code",
        "model_card",
        "data_card.where",
        "api.where",
    ):
        assert place in told
    assert "line 7" in told
    assert "needs a licence" in told


def test_licences_that_are_not_there_and_dates_out_of_order_are_errors() -> None:
    """A component cannot take a shared licence that nobody gave, and no decision is later than its file."""
    with pytest.raises(OpennessError, match=r"licences\.data is not there"):
        declared({"datasets": {"decision": "released", "licence": "as kind"}})
    with pytest.raises(OpennessError, match=r"licences\.distribution is not there"):
        declared({"datasets": {"decision": "released", "licence": "as distribution"}})
    with pytest.raises(OpennessError, match="is after date"):
        declared({"datasets": {"decision": "withheld", "decided_on": "2027-01-01"}})
    with pytest.raises(OpennessError, match="must be a licence"):
        declared({}, licences={"code": "as kind"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "a: &a [x]\nb: *a\n",
        "a: " + "[" * 2_000,
        "schema: !!python/object/apply:os.system [x]\n",
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{n}: &{n} [{','.join(['*' + p] * 10)}]\n" for p, n in ("ab", "bc", "cd", "de", "ef")),
        "schema: weighbridge.openness/1\nschema: weighbridge.openness/1\n",
    ],
)
def test_hostile_files_are_refused(text: str) -> None:
    """Aliases, tags, depth and repeated keys end as the file's own error, soon."""
    with pytest.raises(OpennessError):
        parse_openness(text, "openness.yaml")


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    """Reading needs a file."""
    with pytest.raises(UsageError, match="no such openness file"):
        load_openness(tmp_path / "openness.yaml")


def test_the_record_of_finds_is_read_back_and_refused_when_changed(tmp_path: Path) -> None:
    """What is kept beside a dossier is whole or no evidence."""
    found = find_in(make_full_release(tmp_path / "m"), subject=SUBJECT)
    text = found_text(found)
    assert parse_found(text, "components.json") == found
    for damaged in (text.replace("Apache-2.0", "MIT", 1), text.replace("train.py", "other.py"), "{", "[]", text[:-20]):
        with pytest.raises(EvidenceError):
            parse_found(damaged, "components.json")


def test_rows_say_in_words_what_is_not_there(tmp_path: Path) -> None:
    """A page gets a row a component, with nothing blank."""
    found = find_in(make_weights_only(tmp_path / "m"), subject=SUBJECT)
    rows = openness_rows(
        make_inventory(
            found,
            declared(
                {"datasets": {"decision": "withheld", "why": "<b>privacy</b>", "risk_weighed": {"text": "leaks"}}}
            ),
        )
    )
    assert len(rows) == len(ComponentId)
    for row in rows:
        assert all(value for name, value in vars(row).items() if name != "remarks")
    by_label = {row.component: row for row in rows}
    assert by_label["Final parameters"].licence_verdict == "not open"
    assert by_label["Datasets"].why == "<b>privacy</b>"
    assert by_label["Datasets"].risk == "leaks"
    assert by_label["Datasets"].found == "not found here"
    assert by_label["Training code"].decision == "not declared"


def test_the_examples_run() -> None:
    """What the docstrings show is what happens."""
    assert doctest.testmod(openness).failed == 0


def test_the_document_has_the_vocabulary_and_an_example_that_loads() -> None:
    """The format's page names every component as the program does, and its example is a file."""
    page = (Path(__file__).parents[2] / "docs/formats/openness.md").read_text("utf-8")
    for component in ComponentId:
        about = component.about
        names = " | ".join(about.asked_by.get(framework, "") for framework in Framework)
        assert f"| `{component}` | {about.label} | {about.kind} | {names} |" in page
    example = page.split("```yaml\n")[1].split("```")[0]
    assert set(parse_openness(example, "openness.yaml").components) == {"parameters_final", "datasets", "training_code"}
