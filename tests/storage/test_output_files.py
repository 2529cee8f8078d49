"""Files that a person asked for: whole or not at all, for the owner only, never over another one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vpa_desktop.errors import StorageError, UsageError
from vpa_desktop.storage.output_files import output_file


def write(path: Path, data: bytes = b"new", *, overwrite: bool = False) -> None:
    with output_file(path, overwrite=overwrite) as file:
        file.write(data)


def test_a_file_is_whole_and_for_its_owner_only(tmp_path: Path) -> None:
    write(tmp_path / "a.json")
    assert (tmp_path / "a.json").read_bytes() == b"new"
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


def test_another_file_stays_until_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"old")
    with pytest.raises(UsageError, match=r"There is a file .*a\.json already"):
        write(tmp_path / "a.json")
    assert (tmp_path / "a.json").read_bytes() == b"old"
    write(tmp_path / "a.json", overwrite=True)
    assert (tmp_path / "a.json").read_bytes() == b"new"


def test_a_file_that_comes_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.json"

    def race() -> None:
        with output_file(path) as file:
            file.write(b"new")
            path.write_bytes(b"somebody else's")

    with pytest.raises(UsageError, match="already"):
        race()
    assert path.read_bytes() == b"somebody else's"
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


def test_nothing_stays_of_work_that_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with output_file(tmp_path / "a.json") as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "said"), [("", "is a folder"), ("none/a.json", "There is no folder"), ("a" * 300, "was not written")]
)
def test_a_place_that_cannot_be_is_a_sentence(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises((UsageError, StorageError), match=said):
        write(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_rights_is_a_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="was not written"):
        write(tmp_path / "a.json")
