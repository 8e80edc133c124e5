"""The workbench: chat with the candidate and a baseline side by side, on the rungs that a role allows.

- `models`: what is offered, loaded on first use. `asking`: what goes on while people read. `views`: what is shown, and what is not in a blind conversation.
- `forms`, `routes`: pages and forms. `events`: an answer as it comes.
"""

from weighbridge.web.workbench.routes import router

__all__ = ["router"]
