"""The service of these tests stands on one registry of each kind, emptied before each test."""

from tests.registry.emptied import clock, kept, store  # noqa: F401  fixtures
