"""Second ratings and the labelling queue."""
