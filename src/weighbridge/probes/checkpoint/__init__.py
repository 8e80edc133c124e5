"""The checkpoint probe: reads every byte of a model's files once, runs nothing, and says what is there.

Takes paths. Gives a report: files with digests, components, findings, what was not examined, statistics of the tensors. Never
loads a model, resolves a name from a file or writes anything. `report.py` has the words, `examine.py` how an examiner is
written, `rules/` every rule as data.
"""
