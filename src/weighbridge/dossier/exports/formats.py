"""The formats by name. Light to import: the command line lists them without loading any."""

from __future__ import annotations

_HERE = "weighbridge.dossier.exports"
# Format -> (module, one line of help). Each module has `export(source, *, at) -> Export` and is imported when it is asked for.
FORMATS = {
    "hub-card": (f"{_HERE}.hub_card", "Hugging Face model card: README.md with a model-index."),
    "eval-results": (f"{_HERE}.eval_results", "Hugging Face evaluation results: .eval_results/*.yaml."),
    "every-eval-ever": (f"{_HERE}.every_eval_ever", "Every Eval Ever 0.3.0: one JSON file a model."),
    "cyclonedx": (f"{_HERE}.cyclonedx", "CycloneDX ML-BOM with a model card, 1.6 and 1.7."),
    "spdx": (f"{_HERE}.spdx", "SPDX 3 with the AI profile."),
    "avid": (f"{_HERE}.avid", "AVID report."),
    "oscal": (f"{_HERE}.oscal", "OSCAL assessment results."),
    "csv": (f"{_HERE}.table", "Tidy CSV tables."),
}
