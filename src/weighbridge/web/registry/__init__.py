"""The registry over HTTP: looking up, notices in every form, publishing, and what people may do beside a result.

- `home`: the first page and the search. `notices`: a notice as page, card, badge, JSON and signed statement. `publications`: one publication and its files.
- `publishing`: handing in a dossier. `acts`: trusting, revoking, answering. `api`: look-ups for programs.
- `things`: what a notice is of. `figure`, `badge`: what is drawn. `fresh`: answers that may be kept for a minute.
"""

from fastapi import APIRouter

from weighbridge.web.registry import acts, api, home, notices, publications, publishing

router = APIRouter()
for _each in (home, notices, publications, publishing, acts, api):
    router.include_router(_each.router)
