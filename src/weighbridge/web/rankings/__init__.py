"""Rankings over HTTP: choosing one, a table with its figure, two models side by side; as pages and as JSON.

- `wanted`: what an address asks for. `views`: rows and links as pages show them. `figure`: the forest plot. `pages`, `api`: the routes.
"""

from fastapi import APIRouter

from weighbridge.web.rankings import api, pages

router = APIRouter()
for _each in (pages, api):
    router.include_router(_each.router)
