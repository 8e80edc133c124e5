"""The published JSON Schemas of the evidence records: files beside this module, generated from the records.

`python -m weighbridge.evidence.schemas` writes them again after a change of format; a test holds file and record equal.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from weighbridge.evidence.calibration import Calibration, Correction
from weighbridge.evidence.records import Comparison, Observation, Rate

PUBLISHED: dict[str, type[BaseModel]] = {
    "observation": Observation,
    "rate": Rate,
    "comparison": Comparison,
    "calibration": Calibration,
    "correction": Correction,
}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _EveryField(GenerateJsonSchema):
    """A written record holds every field, so that a reader of any language needs no defaults."""

    def field_is_required(self, *_: Any, **__: Any) -> bool:
        return True


def generated_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a record as its class says, by its name in `PUBLISHED`."""
    record = PUBLISHED[name]
    schema = record.model_json_schema(mode="serialization", by_alias=True, schema_generator=_EveryField)
    return {"$schema": _DIALECT, **schema}


def published_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a record as shipped with the package.

    >>> published_schema("observation")["title"]
    'Observation'
    """
    schema: dict[str, Any] = json.loads(files(__name__).joinpath(f"{name}.schema.json").read_bytes())
    return schema
