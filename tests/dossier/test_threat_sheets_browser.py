"""Threat sheets in a real browser: nothing spills on a phone, and paper has every step."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dossier.test_browser import DESK, PHONE, _open, driver, pytestmark
from weighbridge.dossier.page import render_page
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.threat_sheets import with_threats
from weighbridge.threats.files import SHIPPED, load_sheet

__all__ = ["driver", "pytestmark"]


@pytest.fixture(scope="module")
def page(record: DossierRecord, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page with every shipped sheet."""
    path = tmp_path_factory.mktemp("threats") / "index.html"
    path.write_text(render_page(with_threats(record, [load_sheet(name) for name in SHIPPED])), encoding="utf-8")
    return path.as_uri()


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_nothing_spills_with_every_step_open(driver: Any, page: str, width: int) -> None:
    """With all folds open no word of a sheet lies outside of the window, and each plot is drawn."""
    _open(driver, page, width)
    driver.execute_script("document.querySelectorAll('#threats details').forEach(fold => { fold.open = true })")
    outside = driver.execute_script(
        "return [...document.querySelectorAll('#threats *')].filter(one => !one.closest('.hidden'))"
        ".filter(one => { const box = one.getBoundingClientRect();"
        "  return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1)})"
        ".map(one => one.tagName + ' ' + one.textContent.slice(0, 40))"
    )
    assert outside == []
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    plots = driver.execute_script(
        "return [...document.querySelectorAll('#threats svg[role=img]')].map(one => one.getBoundingClientRect().width)"
    )
    assert plots
    assert all(width_px > 120 for width_px in plots)


def test_paper_has_every_step_without_a_click(driver: Any, page: str) -> None:
    """Printed, the folded steps are open."""
    _open(driver, page, DESK)
    seen = "return [...document.querySelectorAll('#threats details .step-body')].map(one => one.checkVisibility())"
    assert not any(driver.execute_script(seen))
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    printed = driver.execute_script(seen)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert printed == [True] * 5 * len(SHIPPED)
