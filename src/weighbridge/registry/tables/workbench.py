"""Conversations of the workbench: turns, their two sides, tags."""
