"""What strangers hand in: bounded, by a closed list of names, and never unpacked to a disk."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from pathlib import Path

import pytest

from weighbridge.errors import UsageError
from weighbridge.registry import upload as uploading
from weighbridge.registry.problems import UploadRefused
from weighbridge.registry.upload import Upload, read_archive, read_folder, write_archive


def archive(*files: tuple[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", how) as written:
        for name, data in files:
            written.writestr(zipfile.ZipInfo(name), data, how)
    return made


def test_an_archive_comes_back_as_it_was(upload: Upload) -> None:
    """Round trip, and the same files make the same bytes."""
    one, two = io.BytesIO(), io.BytesIO()
    write_archive(upload, one)
    write_archive(upload, two)
    assert one.getvalue() == two.getvalue()
    assert read_archive(one).files == upload.files


@pytest.mark.parametrize(
    "name",
    [
        "../dossier.json",
        "/etc/passwd",
        "statements/../../x.json",
        "statements/a/b.json",
        "statements\\x.json",
        "C:\\dossier.json",
        "card.md\x00.html",
        "logs/answers.jsonl",
        "statements/.json",
        "statements/\u202ex.json",
        "Dossier.json",
        "statements/",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    """Only the closed list of names is taken, in the one spelling of each."""
    made = archive(("dossier.json", b"{}"), (name.replace("\x00", "?"), b"x")).getvalue()
    with pytest.raises(UploadRefused, match="not a name"):
        read_archive(io.BytesIO(made.replace(b"card.md?", b"card.md\x00")))  # `zipfile` would cut it while writing


def test_zip_bombs_are_refused_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what is unpacked, not by what the archive says: a size that lies, a sum, a name twice, a directory of many entries."""
    monkeypatch.setattr(uploading, "MAX_FILE_BYTES", 1 << 20)
    monkeypatch.setattr(uploading, "MAX_UPLOAD_BYTES", 3 << 20)
    with pytest.raises(UploadRefused, match="more than"):
        read_archive(archive(("dossier.json", bytes(2 << 20))))
    lying = archive(("dossier.json", bytes(2 << 20))).getvalue()
    sized = struct.pack("<L", 2 << 20)
    assert lying.count(sized) >= 2
    with pytest.raises(UploadRefused):
        read_archive(io.BytesIO(lying.replace(sized, struct.pack("<L", 10))))
    many = [(f"statements/{number}.json", bytes(900 << 10)) for number in range(5)]
    with pytest.raises(UploadRefused, match="more than"):
        read_archive(archive(("dossier.json", b"{}"), *many))
    with pytest.warns(UserWarning, match="Duplicate"), pytest.raises(UploadRefused, match="twice"):
        read_archive(archive(("dossier.json", b"{}"), ("dossier.json", b"[]")))
    crowd = archive(*((f"statements/{number:030}.json", b"") for number in range(13_000)))
    with pytest.raises(UploadRefused, match="more files"):
        read_archive(crowd)


def test_what_is_no_archive_is_refused() -> None:
    """Nothing, noise, half an archive, another packing: an error that says what to do."""
    good = archive(("dossier.json", b"{}" * 1000)).getvalue()
    broken = [b"", b"PK", os.urandom(500), good[: len(good) // 2], good[40:], b"PK\5\6" + bytes(18)]
    broken += [archive(("dossier.json", b"{}"), how=zipfile.ZIP_LZMA).getvalue(), archive(("card.md", b"")).getvalue()]
    broken.append(good[:60] + b"\xff" * 8 + good[68:])
    for data in broken:
        with pytest.raises(UploadRefused):
            read_archive(io.BytesIO(data))


def test_a_folder_is_read_only_where_a_dossiers_files_are(tmp_path: Path) -> None:
    """Logs and whatever else lies there are not published; a pipe or a folder in a file's place is told, not waited for."""
    with pytest.raises(UsageError, match="no dossier"):
        read_folder(tmp_path)
    (tmp_path / "dossier.json").write_bytes(b"{}")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "answers.jsonl").write_bytes(b"answers")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    assert set(read_folder(tmp_path).files) == {"dossier.json"}
    os.mkfifo(tmp_path / "card.md")
    with pytest.raises(UsageError, match="not a file"):
        read_folder(tmp_path)
