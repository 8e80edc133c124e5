"""The values of a checkpoint's tensors: measured in the one pass over the bytes, judged, marked and compared.

Takes the bytes of each tensor as they come by (`statistics.accumulator`), gives `TensorStatistics`, and from these findings
(`damage.findings`), a fingerprint (`fingerprint.fingerprint`) and a comparison (`comparison.compare`). Opens no file, runs nothing
from one. The modules import numpy: import them where they are needed, not at the top.
"""
