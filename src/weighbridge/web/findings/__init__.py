"""Findings, advisories and followers: pages, feeds, the API, and the task that delivers.

- `routes`: the slice's router. `pages`: findings. `advisories`: advisories, their exports and feeds. `follow`: followers. `api`: for programs.
- `forms`: a form as a finding. `telling`: the library's refusals as 404 and 403. `figure`: a re-test. `delivering`: the background task.
"""

from weighbridge.web.findings.routes import router

__all__ = ["router"]
