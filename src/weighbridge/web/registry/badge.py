"""The badge: one word of a notice as an image, in our own words alone. Its state is a shape and a word, not only a colour."""

from __future__ import annotations

from markupsafe import Markup

from weighbridge.registry.notices import Answer, Notice
from weighbridge.web.pages import fragment

_LEFT = 86  # the width of "weighbridge" and its margins, in pixels
_LETTER = 6.7  # of 11 px Verdana, on the generous side: `textLength` makes every other font fit
_COLOURS = {
    Answer.MET: "#0a6c5f",
    Answer.NOT_MET: "#b23c17",
    Answer.NOT_SHOWN: "#7d5700",
    Answer.NOT_MEASURED: "#4d5661",
}
# Drawn in white on 16 by 16, like the marks of the pages.
_SHAPES = {
    Answer.MET: Markup('<circle cx="8" cy="8" r="6.4"/><path d="M4.8 8.2l2.2 2.2 4.2-4.6"/>'),
    Answer.NOT_MET: Markup('<path d="M8 1.6L14.6 14H1.4z" stroke-linejoin="round"/><path d="M8 6v3.6M8 11.2v1.3"/>'),
    Answer.NOT_SHOWN: Markup('<rect x="1.8" y="1.8" width="12.4" height="12.4" rx="2"/><path d="M4.8 8h6.4"/>'),
    Answer.NOT_MEASURED: Markup('<circle cx="8" cy="8" r="6.4" stroke-dasharray="2.2 2.2"/>'),
}
MEANS = {
    Answer.MET: "no material increase in harm was found, by the comparison that decides",
    Answer.NOT_MET: "a material increase in harm was found, by a comparison that decides",
    Answer.NOT_SHOWN: "what was published does not decide it",
    Answer.NOT_MEASURED: "nobody has measured it here",
}


def badge(notice: Notice, bound: str) -> str:
    """Return the badge of a notice as SVG. `bound`: what it is about, in our words."""
    word = notice.answer.value
    width = round(len(word) * _LETTER)
    return fragment(
        "registry/badge.svg",
        word=word,
        title=f"weighbridge: {word}, {bound}",
        description=f"{word}: {MEANS[notice.answer]}; {notice.because}; {bound}",
        colour=_COLOURS[notice.answer],
        shape=_SHAPES[notice.answer],
        left=_LEFT,
        right=width + 34,
        text_width=width,
    )
