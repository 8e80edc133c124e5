"""Lists that examiners decide by, as data."""
