"""Threat sheets: what a misuse of a model would take, what stands against it, and what opening the weights adds to it.

Takes typed files (YAML or TOML), comparisons and subjects; gives checked sheets, sheets whose fourth step is filled from comparisons,
and a score for each of the six steps. Asks, counts and compares nothing, and never decides whether a risk is acceptable.

The six steps, the three scores and the seven vectors are those of Kapoor, Bommasani et al. 2024 (arXiv 2403.07918, section 5, table 1).

- `vocabulary`: vectors, provenance, scores, NIST AI 800-1's objectives; `atlas`: the techniques of MITRE ATLAS, by id.
- `sheet`: the record. `files`: reading, templates, writing the filled part back. `library/`: the shipped sheets.
- `filling`: step 4 from comparisons. `scores`: the rules that score each step.
"""
