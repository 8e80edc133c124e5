"""People's judgements: tags on answers, a second rater's queue and how far raters agree, findings asked again, and the labelling queue.

- `tags`: one's own tags on the sides of a turn, and findings' drafts. `said`: what a form says of an answer.
- `second`: the queue of the second rater, blind, and agreement. `regress`: findings that are asked of the next version.
- `labels`: files that `weighbridge calibrate --propose` wrote, labelled one answer at a time.
"""

from fastapi import APIRouter

from weighbridge.web.rating import labels, regress, second, tags

router = APIRouter(include_in_schema=False)
for _each in (tags, labels, second, regress):
    router.include_router(_each.router)
