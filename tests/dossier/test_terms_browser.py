"""The terms page in a real browser: Debian's chromium, driven by its chromedriver."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.dossier.test_browser import DESK, PHONE, _open, driver, pytestmark  # noqa: F401
from weighbridge.dossier.gathering import gather
from weighbridge.dossier.record import DossierRecord
from weighbridge.dossier.ruled import bearing, terms_of
from weighbridge.dossier.terms import write_terms
from weighbridge.dossier.write import write_dossier
from weighbridge.standards.context import declare

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def terms_page(record: DossierRecord, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page with both deployers side by side."""
    folder: Path = tmp_path_factory.mktemp("terms")
    write_dossier(folder, record, "")
    sides = [declare(use="benefits-eligibility", sector=sector) for sector in ("gov", "private")]
    return write_terms(folder, terms_of(gather(folder, NOW), bearing(sides), sides, at=NOW)).as_uri()


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_page_never_scrolls_sideways_even_with_all_evidence_open(driver: Any, terms_page: str, width: int) -> None:  # noqa: F811
    _open(driver, terms_page, width)
    driver.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    assert driver.get_log("browser") == []


def test_evidence_opens_by_keyboard(driver: Any, terms_page: str) -> None:  # noqa: F811
    from selenium.webdriver.common.keys import Keys

    _open(driver, terms_page, DESK)
    first = driver.find_element("css selector", "table.terms details")
    assert first.get_attribute("open") is None
    first.find_element("css selector", "summary").send_keys(Keys.ENTER)
    assert first.get_attribute("open") is not None
    assert first.find_element("css selector", "li").is_displayed()


def test_words_have_contrast_in_both_schemes(driver: Any, terms_page: str) -> None:  # noqa: F811
    """WCAG 2.2, 1.4.3: at least 4.5 between each ruling's word and the paper."""
    script = """
        const canvas = document.createElement('canvas').getContext('2d');
        const rgb = text => { canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3); };
        const light = colour => { const [r, g, b] = rgb(colour).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
                                  return .2126 * r + .7152 * g + .0722 * b; };
        const paper = light(getComputedStyle(document.body).backgroundColor);
        return [...document.querySelectorAll('.ruling, .mark, .sub, .nm')].map(one => light(getComputedStyle(one).color))
            .map(ink => (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05));
    """
    for scheme in ("light", "dark"):
        _open(driver, terms_page, DESK, scheme)
        ratios = driver.execute_script(script)
        assert len(ratios) > 100
        assert min(ratios) >= 4.5
