"""Kin are told from strangers by their fingerprints, what a card says is held against it, and absence stays absence."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.probes.checkpoint.weights.planted import Model, as_gguf, fine_tuned, measured, merged_lora, transformer
from weighbridge.errors import EvidenceError
from weighbridge.probes.checkpoint.weights.fingerprint import Fingerprint, aligned_layers, fingerprint
from weighbridge.registry.lineage.declared import Standing, check_declared
from weighbridge.registry.lineage.marks import NotMeasured, read_mark
from weighbridge.registry.lineage.relation import Related, Relation, _layers, probability, relate

ROLES = ("attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
NONE = NotMeasured("the model has no fingerprint")


def mark(model: Model, dtype: str = "f32") -> Fingerprint:
    made = fingerprint(measured(model, dtype))
    assert made is not None
    return made


def made_up(seed: int, layers: int = 6) -> Fingerprint:
    source = random.Random(seed)
    places = ["embedding", *(f"{layer}.{role}" for layer in range(layers) for role in ROLES)]
    return Fingerprint({place: source.getrandbits(64) for place in places})


def moved(parent: Fingerprint, share: float, seed: int) -> Fingerprint:
    source = random.Random(seed)
    return Fingerprint(
        {
            place: word ^ sum(1 << bit for bit in range(64) if source.random() < share)
            for place, word in parent.bits.items()
        }
    )


def related(one: Fingerprint, other: Fingerprint) -> Related:
    found = relate(one, other)
    assert isinstance(found, Related)
    return found


def test_descendants_match_and_what_can_be_told_is_named() -> None:
    """Casts, quantisations, adapters, a longer vocabulary and fine-tunes match, and the relation is named only where bits can tell."""
    parent = transformer(1)
    base = mark(parent)
    longer = dict(parent)
    longer["model.embed_tokens.weight"] = transformer(2)["model.embed_tokens.weight"]
    for child, expected in (
        (mark(parent, "bf16"), Relation.SAME_VALUES),
        (mark(as_gguf(parent), "q8_0"), Relation.SAME_VALUES),
        (mark(merged_lora(parent, 3)), Relation.PART),
        (mark(longer), Relation.VOCABULARY),
        (mark(as_gguf(parent), "q4_0"), Relation.NOT_KNOWN),
        (mark(fine_tuned(parent, 3, 0.1)), Relation.NOT_KNOWN),
    ):
        found = related(child, base)
        assert found.match and found.probability > 0.95
        assert found.relation is expected


def test_strangers_of_one_architecture_do_not_match() -> None:
    """No pair of strangers matches, names a relation, or is thought probable."""
    marks = [mark(transformer(seed)) for seed in range(20, 25)] + [made_up(seed) for seed in range(40)]
    for index, one in enumerate(marks):
        for other in marks[:index]:
            found = related(one, other)
            assert not found.match and found.relation is None
            assert found.probability < 0.5


def test_layers_that_were_dropped_still_match() -> None:
    """A model without one of its parent's layers is kin, and "layers changed"."""
    parent = made_up(1, 8)
    order = [0, 2, 3, 4, 5, 6, 7]
    child = {"embedding": parent.bits["embedding"]}
    for new, old in enumerate(order):
        child |= {f"{new}.{role}": parent.bits[f"{old}.{role}"] for role in ROLES}
    found = related(Fingerprint(child), parent)
    assert found.match and found.relation is Relation.LAYERS


@settings(max_examples=40, deadline=None)
@given(st.floats(0.0, 0.5), st.integers(0, 99), st.data())
def test_taking_evidence_away_never_confirms(share: float, seed: int, data: st.DataObject) -> None:
    """What was not confirmed is not confirmed with fewer places on either side, nor with none."""
    parent = made_up(seed)
    child = moved(parent, share, seed + 1)
    before = check_declared(child, parent).standing
    kept = [
        Fingerprint({place: word for place, word in each.bits.items() if data.draw(st.booleans())})
        for each in (child, parent)
    ]
    for one, other in ((kept[0], parent), (child, kept[1]), (kept[0], kept[1]), (NONE, parent), (child, NONE)):
        if before is not Standing.CONFIRMED:
            assert check_declared(one, other).standing is not Standing.CONFIRMED


def test_a_declaration_is_confirmed_contradicted_not_shown_or_not_measured() -> None:
    """Each standing is said when it is due; another architecture is "not shown", a missing fingerprint "not measured"."""
    parent = made_up(1)
    assert check_declared(moved(parent, 0.1, 2), parent).standing is Standing.CONFIRMED
    assert check_declared(made_up(2), parent).standing is Standing.CONTRADICTED
    assert check_declared(made_up(2, 20), parent).standing is Standing.NOT_SHOWN
    for one, other in ((NONE, parent), (parent, NONE), (NONE, NONE)):
        checked = check_declared(one, other)
        assert checked.standing is Standing.NOT_MEASURED
        assert isinstance(checked.measured, NotMeasured)


def test_relation_holds_both_ways_round() -> None:
    """Which of the two comes first changes neither the match nor the probability."""
    for share in (0.0, 0.1, 0.3, 0.5):
        parent = made_up(3)
        child = moved(parent, share, 4)
        one, two = related(parent, child), related(child, parent)
        assert (one.match, one.places) == (two.match, two.places)
        assert one.probability == pytest.approx(two.probability)


def test_a_rarer_kin_is_less_probable() -> None:
    """With lower odds before looking the probability is lower, and it grows as the bits come closer."""
    assert probability(4.0, 1e-6) < probability(4.0, 0.5) < probability(5.0, 0.5)
    with pytest.raises(ValueError, match="prior"):
        probability(4.0, 0.0)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.2])
def test_layers_that_plainly_stand_for_themselves_are_paired_as_a_search_pairs_them(share: float) -> None:
    """The short way gives what comparing every layer with every other gives."""
    one = made_up(1)
    other = moved(one, share, 2)
    assert _layers(one, other) == aligned_layers(one, other) == {number: number for number in range(6)}


def test_a_fingerprint_survives_reading() -> None:
    """What `inspect` wrote is read back; null and other versions are not measured."""
    made = made_up(1)
    assert read_mark(made.as_json()) == made
    assert isinstance(read_mark(None), NotMeasured)
    assert isinstance(read_mark({"version": "wbf9", "bits": {}}), NotMeasured)
    assert isinstance(read_mark({"version": "wbf1", "bits": {}}), NotMeasured)


@pytest.mark.parametrize(
    "bits",
    [
        None,
        [],
        {"0.ffn_up": 3},
        {"0.ffn_up": "3"},
        {"0.ffn_up": "-000000000000001"},
        {"0.ffn_up": "٠" * 16},
        {"00.ffn_up": "0" * 16},
        {"0.nothing": "0" * 16},
        {f"{layer}.ffn_up": "0" * 16 for layer in range(3000)},
    ],
)
def test_a_malformed_fingerprint_is_refused(bits: object) -> None:
    """Wrong words, places or sizes are an error, never a fingerprint."""
    with pytest.raises(EvidenceError):
        read_mark({"version": "wbf1", "bits": bits})
