"""People's judgements: tags on answers, a second rater's queue and how far raters agree, regression prompts, and the labelling queue.

- `labels`: files that `weighbridge calibrate --propose` wrote, labelled one answer at a time.
"""

from fastapi import APIRouter

from weighbridge.web.rating import labels

router = APIRouter(include_in_schema=False)
for _each in (labels,):
    router.include_router(_each.router)
