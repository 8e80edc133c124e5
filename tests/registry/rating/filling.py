"""Something in every table of ratings, by the library's own functions."""

from __future__ import annotations

from tests.registry.rating.test_labelling import YES, proposed
from tests.registry.rating.test_rating import ADA, BOB, HATE, answer, asked_again, end, give, saved
from tests.registry.test_conversations import GUARDED
from weighbridge.graders.grade import Grade
from weighbridge.registry.labelling import claim, label, take_in
from weighbridge.registry.rating import claim_next
from weighbridge.registry.regressions import asked_of, begin_regression, find_regression, keep_grade
from weighbridge.registry.store import Store
from weighbridge.registry.tagging import tag


def fill(store: Store) -> str:
    """Tags, a second rater's word and one that is being given, a regression that was asked and graded, labels; return the batch of labels."""
    for _ in range(2):
        tag(store, answer(store), HATE, reader=ADA)
    give(store, BOB, HATE)
    assert claim_next(store, rater="bob", role=BOB.role) is not None
    name = begin_regression(store, saved(store), reader=ADA)
    turn = asked_again(store, name, GUARDED)
    assert turn is not None
    end(store, turn)
    with store.reading() as connection:
        now = store.clock()
        [one] = asked_of(connection, now, find_regression(connection, now, name, ADA))
    keep_grade(store, one.side, Grade(id="1", refused=False, coherent=True, enable=0.9), grader="g@1", by="ada")
    batch = take_in(store, proposed(2), name="to label.jsonl", second_percent=100, by="mia")
    item = claim(store, batch, rater="ann")
    assert item is not None
    assert label(store, item, YES, rater="ann") is not None
    return batch
