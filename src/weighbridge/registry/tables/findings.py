"""Findings, advisories, followers and what was sent to them."""
