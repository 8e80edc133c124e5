"""Components: what a model's files hold of a release, and under which licence."""

from __future__ import annotations

import doctest
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.subject.gguf_writer import MODEL, gguf
from tests.subject.hub_directory import make_directory
from tests.subject.releases import CARD, PROSE, licensed, make_full_release, make_weights_only
from tests.subject.test_licences import MIT
from weighbridge.subject import components, front_matter, release_files
from weighbridge.subject.components import (
    ABOUT,
    LISTED_FILES,
    ComponentId,
    FoundComponents,
    Framework,
    find_components,
    find_in,
    found_in_record,
)
from weighbridge.subject.demo import GEMMA3_270M, SMOLLM2
from weighbridge.subject.directory import describe_directory
from weighbridge.subject.front_matter import front_matter as read_front_matter
from weighbridge.subject.licences import ContentKind, distinct_licences
from weighbridge.subject.release_files import component_of_name, prose_words

SUBJECT = "sha256:" + "1" * 64


def licence_of(found: FoundComponents, component: ComponentId) -> str | None:
    part = found.find(component)
    assert part is not None
    return part.licence


def test_the_vocabulary_holds_what_the_frameworks_ask_for() -> None:
    """Seventeen are the Model Openness Framework's, fourteen parameters but one are the index's, and each has a kind."""
    asked = {framework: [c for c in ComponentId if framework in ABOUT[c].asked_by] for framework in Framework}
    assert asked[Framework.MOF] == list(ComponentId)[:17]
    assert len(asked[Framework.EOSAI]) == 13  # the fourteenth is the licence of the others
    assert set(ABOUT) == set(ComponentId)
    assert {about.kind for about in ABOUT.values()} == set(ContentKind)


def test_a_full_release_is_found_whole(tmp_path: Path) -> None:
    """Of a directory that holds everything, every component that files can show is found."""
    found = find_in(make_full_release(tmp_path / "m"), subject=SUBJECT)
    assert {part.component for part in found.components} == set(ComponentId) - {ComponentId.PROGRAMMING_LANGUAGES}


def test_each_component_has_the_licence_nearest_to_it(tmp_path: Path) -> None:
    """A file's own tag comes first, then a licence in its folder, then what holds for the whole; each says where it was read."""
    found = find_in(make_full_release(tmp_path / "m"), subject=SUBJECT)
    assert licence_of(found, ComponentId.TRAINING_CODE) == "MIT"
    assert licence_of(found, ComponentId.DATASETS) == "CDLA-Permissive-2.0"
    assert licence_of(found, ComponentId.PARAMETERS_FINAL) == "Apache-2.0"
    data = found.find(ComponentId.DATASETS)
    assert data is not None
    assert [claim.source for claim in data.claims] == ["data/LICENSE-DATA: its text"]
    # The architecture's code is under MIT, its configuration under the whole's licence: both hold.
    assert licence_of(found, ComponentId.ARCHITECTURE) in ("Apache-2.0 AND MIT", "MIT AND Apache-2.0")


def test_weights_alone_are_weights_alone(tmp_path: Path) -> None:
    """A file that exists by name only is not the component, and says why."""
    found = find_in(make_weights_only(tmp_path / "m"), subject=SUBJECT)
    assert {part.component for part in found.components} == {
        ComponentId.PARAMETERS_FINAL,
        ComponentId.ARCHITECTURE,
        ComponentId.TOKENIZER,
        ComponentId.MODEL_METADATA,
    }
    told = "\n".join(found.passed_over)
    for name in ("README.md", "train.py", "data/train.jsonl", "paper.pdf", "evaluate.py", "technical_report.pdf"):
        assert name in told
    assert licence_of(found, ComponentId.PARAMETERS_FINAL) == "llama3.2"


def test_places_that_disagree_give_no_licence(tmp_path: Path) -> None:
    """The card names one licence and the file beside it is another: both are shown, neither holds."""
    found = find_in(licensed(make_directory(tmp_path / "m", card=CARD)), subject=SUBJECT)
    part = found.find(ComponentId.PARAMETERS_FINAL)
    assert part is not None
    assert (part.licence, part.disagree) == (None, True)
    assert {claim.name for claim in part.claims} == {"MIT", "Apache-2.0"}


def test_a_licence_of_some_files_is_not_the_licence_of_all(tmp_path: Path) -> None:
    """Where one file of a component has no licence, the component has none that is known."""
    (tmp_path / "train.py").write_text("# SPDX-License-Identifier: MIT\nx = 1\n")
    (tmp_path / "train_more.py").write_text("x = 1\n")
    part = find_in(tmp_path, subject=SUBJECT).find(ComponentId.TRAINING_CODE)
    assert part is not None
    assert part.licence is None
    assert part.licence_note == "no licence was found for 1 of 2 files"


def test_a_kind_of_content_may_have_its_own_licence_file(tmp_path: Path) -> None:
    """LICENSE-CODE holds for code, and the plain one for the rest."""
    root = make_full_release(tmp_path / "m")
    (root / "train.py").write_text("x = 1\n")
    (root / "LICENSE-CODE").write_text(MIT)
    found = find_in(root, subject=SUBJECT)
    assert licence_of(found, ComponentId.TRAINING_CODE) == "MIT"
    assert licence_of(found, ComponentId.MODEL_CARD) == "Apache-2.0"


@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("model-00001-of-00002.safetensors", ComponentId.PARAMETERS_FINAL),
        ("pytorch_model.bin", ComponentId.PARAMETERS_FINAL),
        ("original/consolidated.00.pth", ComponentId.PARAMETERS_FINAL),
        ("step1000/pytorch_model.bin", ComponentId.PARAMETERS_INTERMEDIATE),
        ("checkpoints/step_20/model.safetensors", ComponentId.PARAMETERS_INTERMEDIATE),
        ("training_args.bin", None),
        ("optimizer.bin", ComponentId.OPTIMIZER_STATE),
        ("unet/diffusion_pytorch_model.safetensors", ComponentId.PARAMETERS_FINAL),
        ("model.keras", ComponentId.PARAMETERS_FINAL),
        ("model.pkl", ComponentId.PARAMETERS_FINAL),
        ("label_encoder.pkl", None),
        ("variables/variables.data-00000-of-00001", ComponentId.PARAMETERS_FINAL),
        ("tokenizer.model", ComponentId.TOKENIZER),
        ("tokenizer_config.json", None),
        ("tokenization_tiny.py", ComponentId.TOKENIZER),
        ("configuration_tiny.py", ComponentId.ARCHITECTURE),
        ("generation_config.json", None),
        ("preprocessor_config.json", None),
        ("scripts/train_sft.sh", ComponentId.TRAINING_CODE),
        ("trainable.md", None),
        ("evaluation/mmlu.py", ComponentId.EVALUATION_CODE),
        ("all_results.json", None),
        ("results_2026-01-01T00-00-00.json", ComponentId.EVALUATION_RESULTS),
        ("2403.13784v6.pdf", ComponentId.RESEARCH_PAPER),
        ("CITATION.cff", None),
        ("wallpaper.png", None),
        (".cache/train.py", None),
        ("x" * 2_000 + ".py", None),
    ],
)
def test_names_of_hubs_are_known(name: str, component: ComponentId | None) -> None:
    """Files are told apart by the names that hubs and trainers give them."""
    assert component_of_name(name) is component


@given(st.text(alphabet="a/._-0data\n ", max_size=1_200))
def test_no_name_breaks_or_stalls_the_finder(name: str) -> None:
    """Any name has an answer."""
    component_of_name(name)


def test_the_finder_is_quick_with_long_hostile_names() -> None:
    """A thousand names of a thousand signs are told apart in seconds, not minutes."""
    names = [("data/" * 200)[: 900 + number % 90] + "_" * (number % 10) for number in range(1_000)]
    began = time.process_time()
    for name in names:
        component_of_name(name)
    assert time.process_time() - began < 5


def test_hostile_cards_and_bytes_are_text_or_nothing(tmp_path: Path) -> None:
    """Aliases, tags, control characters and endless nesting in a card end as no licence, never as an error."""
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nlicense: *b\n"
    for number, block in enumerate(
        (
            bomb,
            "license: !!python/object/apply:os.system [x]\n",
            "license: " + "[" * 5_000,
            'license: "\\x1b[31m"\n',
            "license: []",
        )
    ):
        root = make_directory(tmp_path / str(number), card=f"---\n{block}---\n# x\n")
        found = find_in(root, subject=SUBJECT)
        for part in found.components:
            assert part.licence is None or part.licence.isprintable()


@pytest.mark.parametrize(
    ("head", "licence"),
    [
        ("# SPDX-License-Identifier: MIT\n", "MIT"),
        ("/* SPDX-License-Identifier: Apache-2.0 OR MIT */\n", "Apache-2.0 OR MIT"),
        ("<!-- SPDX-License-Identifier: mit -->\n", "MIT"),
        ("# SPDX-License-Identifier:\n# nothing\n", None),
        ("# SPDX-License-Identifier:   \r\n", None),
    ],
)
def test_a_files_own_tag_is_read_to_its_end(tmp_path: Path, head: str, licence: str | None) -> None:
    """What follows the tag on its line is the licence, without the comment's end; nothing there is nothing said."""
    (tmp_path / "train.py").write_text(head + "x = 1\n")
    assert licence_of(find_in(tmp_path, subject=SUBJECT), ComponentId.TRAINING_CODE) == licence


def test_hostile_metadata_is_read_in_seconds() -> None:
    """However a metadata block is built, reading it ends soon."""
    for piece in ("[", "{", "a: ", "- ", "? ", "&a [", "'", "! ", "[a, ", "{a: ", "- - "):
        began = time.process_time()
        read_front_matter("---\nlicense: mit\nb: " + piece * (200_000 // len(piece)) + "\n---\n")
        read_front_matter("---\nb: " + piece * (60_000 // len(piece)) + "\n---\n")
        assert time.process_time() - began < 5, piece


def test_metadata_whose_parts_stand_for_each_other_is_not_read() -> None:
    """Merged aliases double with every line: forty lines would be more than any memory holds."""
    lines = ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 40))]
    assert read_front_matter("---\nlicense: mit\n" + "\n".join(lines) + "\n---\n") == {}
    assert read_front_matter("---\nname: R&D *and* more\n---\n") == {"name": "R&D *and* more"}


@pytest.mark.parametrize("head", ["---\n", "---\r\n", "\ufeff---\n", "---  \n"])
def test_a_metadata_block_may_begin_as_editors_write_it(head: str) -> None:
    """Line ends, a byte-order mark and blanks behind the dashes do not hide a licence."""
    end = "\r\n" if "\r" in head else "\n"
    assert read_front_matter(f"{head}license: mit{end}---{end}# x") == {"license": "mit"}


@pytest.mark.parametrize("name", ["GPL-3.0-only", "GPL-3.0-or-later"])
def test_only_and_or_later_share_a_text(name: str) -> None:
    """The text says neither, so the fuller name holds; the two names together contradict each other."""
    assert distinct_licences(["GPL-3.0", name]) == distinct_licences([name, "GPL-3.0"]) == [name]
    assert len(distinct_licences(["GPL-3.0-only", "GPL-3.0-or-later"])) == 2


def test_a_record_with_anything_taken_out_is_refused(tmp_path: Path) -> None:
    """Removing a component, a file or a claim breaks the seal."""
    found = find_in(make_full_release(tmp_path / "m"), subject=SUBJECT)
    told = found.model_dump(mode="json", by_alias=True)
    assert FoundComponents.model_validate(told) == found
    for number in range(len(found.components)):
        less = dict(told, components=[part for at, part in enumerate(told["components"]) if at != number])
        with pytest.raises(ValidationError, match="seal"):
            FoundComponents.model_validate(less)
        parts = [dict(part, claims=[]) if at == number else part for at, part in enumerate(told["components"])]
        if found.components[number].claims:
            with pytest.raises(ValidationError, match="seal"):
                FoundComponents.model_validate(dict(told, components=parts))


def test_long_lists_of_files_are_counted_and_cut(tmp_path: Path) -> None:
    """A component of many files lists the first and counts the rest."""
    for number in range(LISTED_FILES + 7):
        (tmp_path / f"train_{number:03}.py").write_text("x = 1\n")
    part = find_in(tmp_path, subject=SUBJECT).find(ComponentId.TRAINING_CODE)
    assert part is not None
    assert (len(part.files), part.file_count) == (LISTED_FILES, LISTED_FILES + 7)


def test_a_licence_is_not_told_of_more_code_than_is_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was not read may name another licence, so none is known; rows of data name none, and theirs is known."""
    monkeypatch.setattr(release_files, "MAX_FILES_READ", 3)
    root = make_full_release(tmp_path / "m")
    for number in range(5):
        (root / f"train_{number}.py").write_text("# SPDX-License-Identifier: MIT\nx = 1\n")
        (root / f"data/train-{number}.jsonl").write_text("{}\n" if number > 3 else '{"a": 1}\n')
    found = find_in(root, subject=SUBJECT)
    code = found.find(ComponentId.TRAINING_CODE)
    assert code is not None
    assert (code.licence, code.licence_note) == (None, "more than 3 files: not every one was looked into")
    assert licence_of(found, ComponentId.DATASETS) == "CDLA-Permissive-2.0"


def test_a_gguf_file_says_its_licence_and_holds_its_tokenizer(tmp_path: Path) -> None:
    """Of a single file the metadata is read: licence, architecture, tokenizer."""
    path = tmp_path / "tiny.gguf"
    path.write_bytes(gguf({**MODEL, "general.license": "apache-2.0", "tokenizer.ggml.model": "gpt2"}))
    found = find_in(path, subject=SUBJECT)
    assert [part.component for part in found.components] == [
        ComponentId.ARCHITECTURE,
        ComponentId.PARAMETERS_FINAL,
        ComponentId.TOKENIZER,
    ]
    assert licence_of(found, ComponentId.PARAMETERS_FINAL) == "Apache-2.0"


def test_what_a_dossier_records_tells_of_weights_only(tmp_path: Path) -> None:
    """Without the files only names, sizes and recorded licences speak; documents and code are passed over, and that is said."""
    root = make_full_release(tmp_path / "m")
    found = found_in_record(describe_directory(root, reference="m"))
    held = {part.component for part in found.components}
    assert ComponentId.PARAMETERS_FINAL in held
    assert not held & {ComponentId.MODEL_CARD, ComponentId.TRAINING_CODE, ComponentId.DATASETS}
    assert not found.complete
    # The record holds the card's word; the licence files, which may differ, were not looked into.
    assert licence_of(found, ComponentId.PARAMETERS_FINAL) is None
    assert "not at hand" in found.passed_over[0]


@pytest.mark.parametrize(("demo", "licence"), [(SMOLLM2, "Apache-2.0"), (GEMMA3_270M, "gemma")])
def test_real_models_are_weights_with_their_licence(demo: object, licence: str) -> None:
    """The two models that come as packages say their licence in their metadata."""
    kept = sorted(Path.home().glob(f".cache/weighbridge/demo/*/{demo.file_name}"))  # type: ignore[attr-defined]
    if not kept:
        pytest.skip("the demo model is not in the cache: `weighbridge inspect demo:smollm2` fetches it")
    found = find_in(kept[0], subject=SUBJECT)
    assert licence_of(found, ComponentId.PARAMETERS_FINAL) == licence
    assert found.find(ComponentId.DATASETS) is None


def test_words_are_counted_without_code_headings_and_placeholders() -> None:
    """What makes a document is its sentences."""
    assert prose_words(CARD) == prose_words(PROSE)
    assert prose_words("# Title\n```\nmany words of code\n```\n<!-- words unseen --> https://example.org/words") == 0
    assert read_front_matter("no block") == {}


def test_no_files_are_no_components() -> None:
    """Nothing found is an empty record, which is whole."""
    assert find_components({}, subject=SUBJECT).components == ()


def test_the_examples_run() -> None:
    """What the docstrings show is what happens."""
    for module in (components, front_matter, release_files):
        assert doctest.testmod(module).failed == 0
