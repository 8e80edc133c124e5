"""The service: pages and an API onto the registry and the workbench. It parses, calls one library function, and renders; nothing is judged here.

    request -> app (headers, bounds, host) -> door (who is it?) -> a slice's route -> registry/, findings/, engine/ -> page or JSON

- `app`: one application from its parts. `site`: what every request needs. `settings`: what the operator chose. `who`: who asks, and what they may do.
- `pages`: templates. `problems`: what went wrong, for people and for programs. `headers`, `bounds`: what holds for every answer and every request.
- One folder for each slice: `accounts`, `registry`, `rankings`, `lineage`, `findings`, `workbench`, `rating`.

FastAPI, Starlette and uvicorn are the extra `serve`; only this package imports them, and only the command line imports this package.
"""
