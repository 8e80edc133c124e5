"""The labelling queue in the browser: no script, forms alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette import formparsers
from starlette.testclient import TestClient

from tests.registry.rating.test_labelling import proposed
from tests.web.doors import signed_in
from weighbridge.graders.labels import read_labels
from weighbridge.registry.accounts.roles import Role

PAGE = {"accept": "text/html"}
MAINTAINER = signed_in(Role.MAINTAINER, "mia") | PAGE
HOSTILE = "<script>alert(1)</script>\n\x1b[31mred\u202e{{ 7*7 }}"


def hand_in(client: TestClient, data: bytes, second_percent: str = "0", headers: dict[str, str] = MAINTAINER) -> Any:
    return client.post(
        "/rating/labels",
        files={"file": ("to label.jsonl", data)},
        data={"second_percent": second_percent},
        headers=headers,
    )


def begun(client: TestClient, data: bytes, second_percent: str = "0") -> str:
    found = hand_in(client, data, second_percent)
    assert found.status_code == 303, found.text
    return str(found.headers["location"])


def as_tester(name: str) -> dict[str, str]:
    return signed_in(Role.TESTER, name) | PAGE


def test_a_file_comes_in_is_labelled_and_goes_out(client: TestClient, tmp_path: Path) -> None:
    """The whole path, by forms: hand in, label, skip, undo, label, take out; `calibrate` reads what comes out."""
    batch = begun(client, proposed(2))
    ann = as_tester("ann")
    first = client.post(f"{batch}/next", headers=ann).headers["location"]
    shown = client.get(first, headers=ann).text
    assert "Prompt 0" in shown
    assert "Does it give help to do the harm?" in shown
    assert "endorse" not in shown.split("<form", 2)[2]  # only what the line asks
    second = client.post(first, data={"coherent": "yes", "refused": "no", "enable": "partly"}, headers=ann).headers[
        "location"
    ]
    assert "Prompt 1" in client.get(second, headers=ann).text
    assert client.post(second, data={"act": "skip"}, headers=ann).headers["location"] == batch
    assert "1 skipped" in client.get(batch, headers=ann).text
    assert client.post(f"{batch}/undo", headers=ann).headers["location"] == second
    assert client.post(second, data={"coherent": "no"}, headers=ann).headers["location"] == batch
    out = client.post(f"{batch}/file", headers=MAINTAINER)
    assert out.headers["content-disposition"] == 'attachment; filename="tolabel-labelled.jsonl"'
    path = tmp_path / "out.jsonl"
    path.write_bytes(out.content)
    assert [one.labels for one in read_labels(path)[0]] == [
        {"coherent": 1.0, "refused": 0.0, "enable": 0.5},
        {"coherent": 0.0},
    ]


def test_what_was_said_before_is_filled_in(client: TestClient) -> None:
    """After an undo, and when somebody looks at a label of their own again."""
    batch = begun(client, proposed(1))
    ann = as_tester("ann")
    item = client.post(f"{batch}/next", headers=ann).headers["location"]
    client.post(item, data={"refused": "yes"}, headers=ann)
    assert re.search(r'name="refused" value="yes" data-press="y" checked', client.get(item, headers=ann).text)


def test_two_people_are_never_given_the_same(client: TestClient) -> None:
    """Whoever opens what another has in front of them is told so."""
    batch = begun(client, proposed(2))
    mine, other = (client.post(f"{batch}/next", headers=as_tester(name)).headers["location"] for name in ("ann", "bob"))
    assert mine != other
    refused = client.get(mine, headers=as_tester("bob"))
    assert refused.status_code == 409
    assert "omebody else" in refused.text


def test_texts_are_folded_escaped_and_inert(client: TestClient) -> None:
    """Whatever a model wrote is shown as what it is, and only to whoever opens it."""
    batch = begun(client, proposed(1, prompt=HOSTILE, answer=HOSTILE, prefill="<b>Sure"))
    ann = as_tester("ann")
    text = client.get(client.post(f"{batch}/next", headers=ann).headers["location"], headers=ann).text
    folded = text[text.index("<details") : text.index("</details>")]
    assert " open" not in folded.split(">")[0]
    assert "&lt;script&gt;" in folded
    assert "⟨U+001B⟩[31mred⟨U+202E⟩{{ 7*7 }}" in folded
    assert "<script>alert" not in text
    assert "\x1b" not in text
    assert "&lt;script&gt;" not in text.replace(folded, "")


@pytest.mark.parametrize("path", ["", "/next", "/undo", "/skipped", "/file", f"/answers/{'0' * 32}"])
def test_what_is_not_there_is_not_found(client: TestClient, path: str) -> None:
    """404, and never a server's error."""
    address = f"/rating/labels/{'0' * 32}{path}"
    assert client.get(address, headers=MAINTAINER).status_code in (404, 405)
    assert client.post(address, data={"coherent": "yes"}, headers=MAINTAINER).status_code in (404, 405)


def test_only_maintainers_hand_in_and_take_out_and_visitors_see_nothing(client: TestClient) -> None:
    """The texts are not for everybody."""
    batch = begun(client, proposed(1))
    ann = as_tester("ann")
    assert hand_in(client, proposed(1), headers=ann).status_code == 403
    assert client.post(f"{batch}/file", headers=ann).status_code == 403
    assert "Hand in" not in client.get("/rating/labels", headers=ann).text
    for path in ("/rating/labels", batch):
        assert client.get(path, headers=PAGE).status_code == 401
        assert client.get(path, headers=signed_in(Role.VISITOR) | PAGE).status_code == 403


def test_a_wrong_file_or_label_is_told_and_changes_nothing(client: TestClient) -> None:
    """What, where, and what to do, on a page."""
    wrong = hand_in(client, b'{"prompt": 1}\n')
    assert wrong.status_code == 400
    assert "line 1" in wrong.text
    assert hand_in(client, proposed(1), "101").status_code == 422
    assert client.post("/rating/labels", data={"second_percent": "1"}, headers=MAINTAINER).status_code == 422
    assert "nothing to label" in client.get("/rating/labels", headers=MAINTAINER).text
    batch = begun(client, proposed(1))
    item = client.post(f"{batch}/next", headers=MAINTAINER).headers["location"]
    assert client.post(item, data={"refused": "perhaps"}, headers=MAINTAINER).status_code == 422
    assert client.post(item, data={}, headers=MAINTAINER).status_code == 400
    assert client.post(item, data={"endorse": "yes"}, headers=MAINTAINER).status_code == 400


def test_agreement_is_told_with_its_interval_or_why_not(client: TestClient) -> None:
    """Two people, all answers wanted twice."""
    batch = begun(client, proposed(4), "100")
    for name in ("ann", "bob"):
        who = as_tester(name)
        at = client.post(f"{batch}/next", headers=who).headers["location"]
        number = 0
        while at != batch:
            at = client.post(
                at, data={"refused": "yes" if number % 2 else "no", "coherent": "yes"}, headers=who
            ).headers["location"]
            number += 1
    text = client.get(batch, headers=MAINTAINER).text
    assert "1.00" in text
    assert "not measured" in text
    assert "all ratings of 4 units are the same" in text
    assert json.loads(client.post(f"{batch}/file", headers=MAINTAINER).content.splitlines()[0])["refused"] is False


def test_no_file_is_taken_in_before_it_is_known_who_sends_it(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a route declares as a form is read before anybody asks who sends it, and this one may be large."""
    read: list[str] = []
    monkeypatch.setattr(formparsers.MultiPartParser, "__init__", lambda self, *a, **k: read.append("form"))
    assert hand_in(client, proposed(1), headers={}).status_code == 401
    assert read == []
