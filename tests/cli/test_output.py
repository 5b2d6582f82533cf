"""Files that a command writes: confirmed before the work, whole or not there, and no result lost."""

import errno
import os
import re
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kltheory.cli.output import confirm_file, word, write_file


def test_a_file_is_replaced_whole_and_keeps_what_it_is(tmp_path):
    file, link = tmp_path / "a.json", tmp_path / "link.json"
    file.write_text("old", encoding="utf-8")
    file.chmod(0o640)
    link.symlink_to(file)
    with file.open(encoding="utf-8") as before:
        write_file(link, "π, new")
        assert before.read() == "old"  # whoever reads has one or the other
    assert file.read_text(encoding="utf-8") == "π, new"
    assert file.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "link.json"]


def test_a_new_file_has_the_permissions_that_files_have(tmp_path):
    write_file(tmp_path / "new", "x")
    (tmp_path / "usual").write_text("x", encoding="utf-8")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_what_cannot_be_written_at_the_end_is_kept_elsewhere(tmp_path, monkeypatch):
    """The folder was there, and is full when the work is done."""
    file = tmp_path / "a.json"
    file.write_text("old", encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(click.ClickException) as caught:
        write_file(file, "result")
    message = re.fullmatch(rf"cannot write {file}: No space left on device; it is in (.*\.json)", str(caught.value))
    kept = Path(message[1])
    assert kept.read_text(encoding="utf-8") == "result"
    kept.unlink()
    assert file.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_where_nothing_can_be_kept_the_result_is_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(click.ClickException, match="it is on standard output"):
        write_file(tmp_path / "no" / "a.json", "result")
    assert capsys.readouterr().out == "result\n"


CONFIRMED = {
    "new": "",
    "old": "",
    "folder": "Is a directory",
    "no/such": "No such file or directory",
    "old/x": "Not a dir",
}


@pytest.mark.parametrize("name", CONFIRMED)
def test_a_file_is_confirmed_before_it_is_written(name, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "old").write_text("old", encoding="utf-8")
    before = sorted(p.name for p in tmp_path.iterdir())
    if CONFIRMED[name]:
        with pytest.raises(click.ClickException, match=CONFIRMED[name]):
            confirm_file(tmp_path / name)
    else:
        confirm_file(tmp_path / name)
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    assert (tmp_path / "old").read_text(encoding="utf-8") == "old"


def test_a_device_is_written_in_place():
    confirm_file(Path(os.devnull))
    write_file(Path(os.devnull), "x")
    assert Path(os.devnull).is_char_device()


@pytest.mark.parametrize(
    ("sign", "words"),
    [("π", "pi"), ("Σ", "sum"), ("Δ", "Delta"), ("χ", "chi"), ("²", "^2"), ("₂", "_2"), ("数", "\\u6570")],
)
def test_a_sign_has_words(sign, words):
    assert word(sign) == words


@given(st.characters())
def test_words_are_ascii(character):
    assert word(character).isascii()
    assert word(character)
