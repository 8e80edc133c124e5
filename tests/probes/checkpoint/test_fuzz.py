"""Whatever the bytes are, there is a report: readers of hostile files neither raise nor hang."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.attacks.mutations import mutated, seeds
from weighbridge.probes.checkpoint.examine import Allowance, Context, examine
from weighbridge.probes.checkpoint.inspection import inspect_here, inspect_path
from weighbridge.probes.checkpoint.limits import Limits
from weighbridge.probes.checkpoint.source import MemorySource

HDF5 = b"\x89HDF"
SLOW_S = 20


DAMAGE = st.tuples(st.integers(0, 1 << 16), st.integers(0, 1 << 16), st.booleans(), st.integers(0, 1 << 32))


def _damaged(damage: tuple[int, int, bool, int], only: bytes = b"") -> tuple[str, bytes]:
    """Return a file of the corpora, damaged; its name is sometimes another's, since names only hint."""
    first, second, swap, seed = damage
    files = [(name, data) for name, data in seeds().values() if data.startswith(only)]
    (name, data), (other_name, other) = files[first % len(files)], files[second % len(files)]
    return (other_name if swap else name).rsplit("/", 1)[-1], mutated(data, other, random.Random(seed))


@settings(max_examples=600, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(damage=DAMAGE)
def test_every_reader_gives_an_account_of_a_damaged_file(damage: tuple[int, int, bool, int]) -> None:
    """No reader raises, and none takes long: an input that is not understood is said to be so."""
    name, data = _damaged(damage)
    if HDF5 in data:  # its library is C: see below
        return
    begun_s = time.monotonic()
    context = Context(Allowance(unpacked_bytes=8 << 20, steps=100_000))
    examined = examine(MemorySource(name, data), context)
    assert time.monotonic() - begun_s < SLOW_S
    if data and examined.format == "unknown":
        assert examined.not_examined


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(damage=DAMAGE)
def test_every_stage_gives_a_report_of_a_damaged_file(
    damage: tuple[int, int, bool, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The whole inspection, hashing and looking across files included, ends with a report and not with a failure of ours."""
    name, data = _damaged(damage)
    if HDF5 in data:
        return
    path = tmp_path_factory.mktemp("fuzz") / name
    path.write_bytes(data)
    report = inspect_here(path)
    assert [each["path"] for each in report.subject["files"]] == [name]
    assert [left["reason"] for left in report.not_examined if "reader failed" in left["reason"]] == []


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(damage=DAMAGE)
def test_a_library_that_crashes_is_no_crash_of_ours(
    damage: tuple[int, int, bool, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Damaged HDF5 files may take the library, and the child that runs it, down: the report says that they were not examined."""
    name, data = _damaged(damage, HDF5)
    path = tmp_path_factory.mktemp("fuzz") / name
    path.write_bytes(data)
    report = inspect_path(path, limits=Limits(time_s=SLOW_S))
    assert [each["path"] for each in report.subject["files"]] == [path.name] or report.not_examined
    assert [left["reason"] for left in report.not_examined if "Traceback" in left["reason"]] == []
