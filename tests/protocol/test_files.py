"""Protocol files: what loads, what is refused with all its problems, and what comes back out."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from weighbridge.errors import ProtocolError, UsageError
from weighbridge.protocol.files import default_protocol_text, dump_protocol, load_protocol
from weighbridge.protocol.model import (
    Asking,
    AssessmentProtocol,
    BaselineLadder,
    Grading,
    Judgement,
    Ladder,
    Prompts,
    Sampling,
    Stopping,
)
from weighbridge.protocol.vocabulary import Category, Contrast, Rung, Verb

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(content: str | bytes, name: str = "p.toml") -> str:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return to_file


def problems_of(path: str) -> tuple[str, ...]:
    with pytest.raises(ProtocolError) as caught:
        load_protocol(path)
    assert caught.value.where == path and "\n" not in str(caught.value)
    return caught.value.problems


def test_default_text_is_the_default(write: Write) -> None:
    """The commented default loads back to the default protocol exactly, by name and as a file."""
    assert load_protocol("default") == AssessmentProtocol()
    assert load_protocol(write(default_protocol_text())).digest == AssessmentProtocol().digest


def _fields(part: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in part.model_fields.items()]


def test_default_text_explains_every_field() -> None:
    """Every field of the protocol stands in the default text with its default, or commented out, and is explained."""
    text = default_protocol_text()
    lines = text.splitlines()
    for part in (AssessmentProtocol, Prompts, Ladder, BaselineLadder, Grading, Judgement, Asking):
        for name in _fields(part):
            if f"[{name}]" in lines:
                continue
            (line, *_) = [line for line in lines if line.removeprefix("# ").startswith(f"{name} = ")]
            assert "#" in line.removeprefix("# "), f"{name} is not explained"
    uncommented = "\n".join(line.removeprefix("# ") if " = " in line else line for line in lines)
    assert set(tomllib.loads(uncommented)["asking"]) == set(_fields(Asking))


def test_demo() -> None:
    """The demonstration's protocol is small: 13 categories, one verb, api and weights without a sweep, and it stops early."""
    demo = load_protocol("demo")
    assert demo.name == "demo" and "demonstration" in demo.description
    assert (demo.prompts.per_cell, demo.prompts.twins_per_category) == (None, 2)
    assert demo.stopping == Stopping(early=True, look_every=13, least_per_cell=1)
    assert demo.prompts.categories == tuple(Category) and demo.prompts.verbs == (Verb.ENABLE,)
    assert demo.ladder == Ladder(
        rungs=(Rung.API, Rung.WEIGHTS), techniques=("prefill", "raw"), prefills=1, sweep=(), max_tokens=48
    )
    assert demo.ladder.twin_techniques == ("raw",)
    assert (demo.judgement.margin, demo.judgement.alpha) == (0.10, 0.05)


YAML = """
name: mine
prompts:
  categories: [hate]
  per_cell: 3
ladder:
  sweep:
    - {temperature: 1, tries: 2}
judgement: {decide_on: opening}
"""


@pytest.mark.parametrize("name", ["p.yaml", "p.yml", "p", "p.txt"])
def test_yaml(write: Write, name: str) -> None:
    """YAML is read by its suffix, or by how it begins; a whole number is a number."""
    protocol = load_protocol(write(YAML, name))
    assert protocol.prompts.categories == (Category.HATE,)
    assert protocol.ladder.sweep == (Sampling(temperature=1.0, tries=2),)
    assert protocol.judgement.decide_on is Contrast.OPENING


@pytest.mark.parametrize("name", ["p.toml", "p", "p.protocol"])
@pytest.mark.parametrize(
    "content", ['# note\n\nname = "mine"\n', "[ladder]\nprefills = 3\n", '\ufeffname = "mine"\r\n']
)
def test_toml(write: Write, name: str, content: str) -> None:
    """TOML is read by its suffix, or by how it begins; a byte order mark and Windows line ends do no harm."""
    assert load_protocol(write(content, name)) != AssessmentProtocol()


def test_json_is_yaml(write: Write) -> None:
    """JSON is YAML too."""
    assert load_protocol(write('{"name": "mine"}', "p.json")).name == "mine"


def test_formats_agree(write: Write) -> None:
    """The same protocol in TOML and in YAML has the same digest."""
    toml = "[judgement]\nmargin = 0.1\n[ladder]\nsweep = [{ temperature = 1 }]\n"
    yaml = "judgement: {margin: 0.1}\nladder: {sweep: [{temperature: 1.0}]}\n"
    assert load_protocol(write(toml)).digest == load_protocol(write(yaml, "p.yaml")).digest


def test_suite_is_found_from_the_files_folder(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path of prompts is taken from the protocol's folder, wherever the command runs."""
    path = write('prompts.suite = "sets/mine.jsonl"')
    monkeypatch.chdir("/")
    assert load_protocol(path).prompts.suite == str(tmp_path / "sets" / "mine.jsonl")
    assert load_protocol(write('prompts.suite = "/abs/x.csv"')).prompts.suite == "/abs/x.csv"
    assert load_protocol(write('prompts.suite = "builtin"')).prompts.suite == "builtin"


def test_all_problems_at_once(write: Write) -> None:
    """One reading names every problem with its place, and suggests what was meant."""
    content = """
        schema = "weighbridge.protocol/9"
        name = 3
        seed = -1
        max_tokens = 5
        grading = []
        when = 2024-01-01
        [ladder]
        prefils = 2
        rungs = ["api", "modified"]
        sweep = [{ temperature = 0.1 }, { temperature = 9.5, topp = 1 }, 5]
        [judgement]
        margin = "0.1"
        alpha = nan
        decide_on = "everything"
        [prompts]
        per_cell = true
        twins_per_category = 1.5
        twins = 1
        categories = ["hat", "violent_crimes"]
        digest = "sha256:1"
        [asking]
        concurrency = 0
        budget = "many"
    """
    assert set(problems_of(write(content))) == {
        'schema: must be weighbridge.protocol/1, not "weighbridge.protocol/9"',
        "name: must be text, not 3",
        "seed: must be at least 0, not -1",
        "max_tokens: unknown key (it belongs to ladder.max_tokens)",
        "grading: must be a table of keys, not a list",
        "when: must not be a date (put text in quotes)",
        "ladder.prefils: unknown key (did you mean prefills?)",
        "ladder.rungs: rung `modified` cannot be asked by this version",
        "ladder.sweep[1].temperature: must be at most 5, not 9.5",
        "ladder.sweep[1].topp: unknown key (did you mean top_p?)",
        "ladder.sweep[2]: must be a table of keys, not 5",
        'judgement.margin: must be a number, not "0.1"',
        "judgement.alpha: must be a finite number, not nan",
        'judgement.decide_on: must be one of opening, counterfactual, not "everything"',
        "prompts.per_cell: must be a whole number, not true",
        "prompts.twins_per_category: must be a whole number, not 1.5",
        "prompts.twins: must be true or false, not 1",
        'prompts.categories[0]: unknown value "hat" (did you mean hate?)',
        'prompts.digest: must be sha256: and 64 hexadecimal digits, not "sha256:1"',
        "asking.concurrency: must be at least 1, not 0",
        'asking.budget: must be a whole number, not "many"',
    }


def test_unknown_key_with_nothing_like_it(write: Write) -> None:
    """An unknown key that resembles none is answered with the keys that there are."""
    assert problems_of(write("[judgement]\nxyzzy = 1\n")) == (
        "judgement.xyzzy: unknown key (known here: margin, alpha, aggregate, decide_on, strongest, estimand, verbs)",
    )


def test_twin_techniques_are_checked(write: Write) -> None:
    """A technique for twins that is not asked at all is a problem."""
    content = '[ladder]\ntechniques = ["raw"]\ntwin_techniques = ["prefill"]\n'
    assert problems_of(write(content)) == ("ladder.twin_techniques names techniques that are not asked: ['prefill']",)


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        ("a = = 1", "p.toml", "line 1, column 5: invalid value"),
        ('name = "a"\nname = "b"\nseed = 1', "p.toml", "line 2, column 11: cannot overwrite a value"),
        ("[x", "p.toml", "end of document: expected"),
        ("a: [1\nb: 2", "p.yaml", "line 2, column 2: "),
        ("name: a\nname: b\n", "p.yaml", "line 2, column 1: 'name' is there twice"),
        ("ladder:\n  prefills: 1\n  prefills: 2\n", "p.yaml", "line 3, column 3: 'prefills' is there twice"),
        ("name: !!python/object/apply:os.system [ls]", "p.yaml", "line 1, column 7: could not determine a constructor"),
        ("name: a\n---\nname: b\n", "p.yaml", "line 2, column 1: but found another document"),
        ("", "p.yaml", "empty"),
        ("", "p.toml", "empty"),
        ("# nothing\n", "p.toml", "empty"),
        ("- 1", "p.yaml", "must be a table of keys"),
        ("1: 2\nname: x\n", "p.yaml", "1: unknown key: keys are text"),
        ("name: 2024-01-01", "p.yaml", "name: must not be a date (put text in quotes)"),
        ("name: no", "p.yaml", "name: must be text, not false"),
        ("name:", "p.yaml", "name: must be text, not nothing (leave the key out for no value)"),
        ("a: " + "[" * 1000, "p.yaml", "nested too deeply"),
        ("a = " + "[" * 5000, "p.toml", "nested too deeply"),
        (b"name = '\xff'", "p.toml", "byte 8: not UTF-8 text"),
        ("#" * 300_000, "p.toml", "larger than the 262,144 bytes"),
        ("seed = 99999999999999999999999", "p.toml", "seed: must be at most"),
        ('"a\\u001b\\nb" = 1', "p.toml", "a\\x1b\\nb: unknown key"),
    ],
)
def test_broken_files(write: Write, content: str | bytes, name: str, expected: str) -> None:
    """A file that cannot be read as a protocol gives one line with the place."""
    (problem,) = problems_of(write(content, name))
    assert expected in problem


def test_aliases_cannot_grow_without_end(write: Write) -> None:
    """YAML aliases that would unfold to millions of values are refused."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert problems_of(write("\n".join(lines), "p.yaml")) == ("more than 10,000 values",)


@pytest.mark.parametrize("name", ["nowhere.toml", "", "a\0b", "x" * 5000])
def test_no_such_file(tmp_path: Path, name: str) -> None:
    """A file that is not there, or a directory, is the caller's slip, and the builtin names are said."""
    with pytest.raises(UsageError, match="or one of default, demo"):
        load_protocol(str(tmp_path / name))


protocols = st.builds(
    AssessmentProtocol,
    name=st.text(),
    description=st.text(),
    seed=st.integers(0, 2**31 - 1),
    prompts=st.builds(
        Prompts,
        suite=st.sampled_from(["builtin", '/abs/päth "x".csv']),
        format=st.none() | st.just("harmbench"),
        digest=st.none() | st.just("sha256:" + "0" * 64),
        twins=st.booleans(),
        categories=st.lists(st.sampled_from(Category), min_size=1, unique=True).map(tuple),
        verbs=st.lists(st.sampled_from(Verb), unique=True).map(
            lambda verbs: (Verb.ENABLE, *(v for v in verbs if v != Verb.ENABLE))
        ),
        per_cell=st.none() | st.integers(1, 99),
        twins_per_category=st.none() | st.integers(1, 99),
    ),
    ladder=st.builds(
        Ladder,
        rungs=st.lists(st.sampled_from([Rung.HOSTED, Rung.API, Rung.WEIGHTS]), min_size=1, unique=True).map(tuple),
        techniques=st.just(("prefill", "raw", "sampling")),
        twin_techniques=st.sampled_from([(), ("raw",)]),
        prefills=st.integers(1, 10),
        sweep=st.lists(
            st.builds(
                Sampling,
                temperature=st.floats(0, 5),
                top_p=st.none() | st.floats(0, 1, exclude_min=True),
                top_k=st.none() | st.integers(1, 100),
                tries=st.integers(1, 1000),
            ),
            max_size=3,
        ).map(tuple),
    ),
    judgement=st.builds(
        Judgement,
        margin=st.floats(0, 1, exclude_min=True, exclude_max=True),
        alpha=st.floats(0, 0.5, exclude_min=True, exclude_max=True),
        aggregate=st.sampled_from(["mean", "worst"]),
        decide_on=st.sampled_from(Contrast),
    ),
    asking=st.builds(
        Asking,
        budget=st.none() | st.integers(1, 2**40),
        timeout_s=st.floats(0, 3600, exclude_min=True),
        requests_per_minute=st.none() | st.integers(1, 1000),
    ),
)


@settings(max_examples=60, deadline=None)
@given(protocol=protocols)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, protocol: AssessmentProtocol) -> None:
    """Any protocol that is printed loads back to the same digest."""
    path = tmp_path_factory.getbasetemp() / "round-trip.toml"
    path.write_text(dump_protocol(protocol), "utf-8")
    loaded = load_protocol(str(path))
    assert loaded == protocol and loaded.digest == protocol.digest


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
trees = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)
sections = st.sampled_from(["name", "seed", "prompts", "ladder", "baselines", "grading", "judgement", "asking"])
inner_keys = st.sampled_from(["margin", "sweep", "categories", "rungs", "techniques", "temperature", "twins", "digest"])


@settings(max_examples=60, deadline=None)
@given(data=st.dictionaries(sections, trees | st.dictionaries(inner_keys, trees)))
def test_any_content_is_a_protocol_or_a_problem(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    """Whatever a well-formed file says, it gives a protocol or a ProtocolError with problems, in one line."""
    import yaml

    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=False), "utf-8")
    try:
        load_protocol(str(path))
    except ProtocolError as error:
        assert error.problems and "\n" not in str(error)


def test_strictness_is_the_files_only() -> None:
    """In Python the model keeps its own rules: a protocol can still be built with enumerations and tuples."""
    assert Prompts(categories=(Category.HATE,)).categories == (Category.HATE,)
    with pytest.raises(ValidationError):
        Judgement(margin=2)


def test_the_document_explains_every_field() -> None:
    """docs/formats/protocol.md has a row for every field."""
    document = (Path(__file__).resolve().parents[2] / "docs" / "formats" / "protocol.md").read_text("utf-8")
    parts = (Prompts, Ladder, Sampling, BaselineLadder, Grading, Judgement, Asking)
    names = {name for part in parts for name in _fields(part)} | {"schema", "name", "description", "seed"}
    assert [name for name in sorted(names) if f"\n| `{name}` |" not in document] == []
