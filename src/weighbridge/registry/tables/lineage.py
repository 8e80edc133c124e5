"""Fingerprints of published models, and what their cards declare."""
