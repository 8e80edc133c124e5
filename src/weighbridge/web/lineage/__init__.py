"""The kin of a model over HTTP: a page with a tree and a table, and JSON.

- `routes`: the page, and the API. `tree`: which model stands under which. `figure`: the tree as SVG.
"""

from weighbridge.web.lineage.routes import router

__all__ = ["router"]
