"""Hostile, damaged and ordinary model files, made by scripts with inert payloads. Nothing here is ever loaded."""
