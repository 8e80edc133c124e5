"""From observations to estimates, comparisons and verdicts. Takes records, gives records.

Doors: `rates.py`, `comparisons.py` and `corrected.py` for a dossier's evidence, `recorded.py` for graded answers that somebody has
made, `power.py` for how many prompts it will take, `agreement.py` for how far two graders agree. `answers.py` says what one
prompt's answers add up to, and what is missing.

The statistics: `sequential.py` and `betting.py` for verdicts that hold at any stopping time, `evalues.py` for many of them at once;
`intervals.py` and `bounded_mean.py` where the number of prompts is fixed; `correction.py`, `success_at_k.py`.

Pure: no files, clock, network or random numbers (but from a seed that is given), and no number where nothing was measured. Never
decides what a verdict is good for: that is for standards and readers. Methods, with sources and measured coverage: docs/methods/.
"""
