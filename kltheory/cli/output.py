"""What a command writes: streams that take every character, and files that are whole or not there."""

import codecs
import errno
import io
import json
import os
import stat
import sys
import unicodedata
from collections.abc import Mapping
from functools import partial
from math import isfinite, isnan
from pathlib import Path
from typing import Any, Final

import click

WORDS: Final = {
    "Σ": "sum", "Π": "prod", "∇": "grad", "∂": "d", "√": "sqrt", "∞": "oo", "‖": "||", "⟨": "<", "⟩": ">", "≤": "<=",
    "≥": ">=", "≠": "!=", "≈": "~", "∝": "~", "→": "->", "·": "*", "×": "x", "±": "+-", "−": "-", "–": "-", "—": "--",
    "…": "...", "’": "'", "“": '"', "”": '"', "′": "'", "½": "1/2", "ℓ": "l",
}  # fmt: skip
"""What is written where a stream cannot encode a sign; of a Greek letter it is the name, of the rest an escape."""


def word(character: str) -> str:
    """A character in ASCII."""
    name, (kind, *codes) = unicodedata.name(character, ""), [*unicodedata.decomposition(character).split(), ""]
    if character in WORDS:
        return WORDS[character]
    if name.startswith("GREEK") and "LETTER" in name:
        letter = name.split()[3]
        return letter.capitalize() if "CAPITAL" in name else letter.lower()
    if kind in ("<super>", "<sub>"):
        return ("^" if kind == "<super>" else "_") + word(chr(int(codes[0], 16)))
    return character.encode("ascii", "backslashreplace").decode()


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(word, error.object[error.start : error.end])), error.end


def _plain(name: str) -> codecs.CodecInfo | None:
    """ASCII under a name of ours: Click takes ASCII for a mistake, and writes UTF-8 instead."""
    ascii_ = codecs.lookup("ascii")
    return codecs.CodecInfo(
        ascii_.encode, ascii_.decode, ascii_.streamreader, ascii_.streamwriter, ascii_.incrementalencoder,
        ascii_.incrementaldecoder, PLAIN,
    ) if name == PLAIN else None  # fmt: skip


PLAIN: Final = "kltheory_ascii"


def tolerate() -> None:
    """Standard streams write what they can encode, and words or escapes for the rest."""
    codecs.register_error(PLAIN, _replaced)
    codecs.register(_plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            plain = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=PLAIN if plain else None, errors=PLAIN)


def confirm_stream() -> None:
    """Raise ClickException where standard output certainly takes nothing."""
    if sys.stdout is None:
        raise click.ClickException("standard output is closed")
    try:
        _probe(sys.stdout.fileno())
    except (OSError, ValueError) as e:
        if isinstance(e, OSError) and e.errno is not None:  # a stream of a test, or of a notebook, has no number
            raise click.ClickException(f"cannot write to standard output: {e.strerror}") from None


def _probe(number: int) -> None:
    """Write an empty line to a device that is no terminal, such as /dev/full: it cannot be told otherwise."""
    if stat.S_ISCHR(os.fstat(number).st_mode) and not os.isatty(number):
        os.write(number, b"\n")


def confirm_file(path: Path) -> None:
    """Raise ClickException where a file cannot be written, before any work: its folder takes a file, or itself does."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if path.is_char_device():
            with path.open("ab", buffering=0) as device:
                _probe(device.fileno())
        elif not _in_place(path):
            part = _part(path)
            try:
                part.write_bytes(b"\n")
            finally:
                part.unlink(missing_ok=True)
    except (OSError, ValueError) as e:
        raise click.ClickException(f"cannot write {path}: {getattr(e, 'strerror', None) or e}") from None


def write_file(path: Path, data: str | bytes) -> None:
    """Write a file under another name beside it, then rename: a reader sees the old one or the new one.

    Raises:
        ClickException: it cannot be written; the message says where the data are instead.
    """
    content = data.encode() if isinstance(data, str) else data
    try:
        if _in_place(path):
            path.write_bytes(content)
            return
        part = _part(path)
        try:
            part.write_bytes(content)
            if path.exists():
                part.chmod(stat.S_IMODE(path.stat().st_mode))
            part.replace(path.resolve())
        finally:
            part.unlink(missing_ok=True)
    except OSError as e:
        raise click.ClickException(f"cannot write {path}: {e.strerror}; {_kept(path, content)}") from None


def _in_place(path: Path) -> bool:
    """Whether it is there and no other file can take its place: a device, a pipe, a file in a folder that is locked."""
    return path.exists() and not (path.is_file() and os.access(path.resolve().parent, os.W_OK))


def _part(path: Path) -> Path:
    real = path.resolve()
    return real.with_name(f".{real.name}.{os.getpid()}.part")


def _kept(path: Path, content: bytes) -> str:
    """Where the data went instead."""
    import tempfile

    try:
        with tempfile.NamedTemporaryFile(prefix="kltheory-", suffix=path.suffix, delete=False) as file:
            file.write(content)
        return f"it is in {file.name}"
    except OSError:
        click.echo(content)
        return "it is on standard output"


def write_json(data: Any, target: str) -> None:
    """Write JSON to a file, or to standard output for ``-``; numbers JSON has no word for are texts (docs/json.md).

    Raises ClickException.
    """
    dumps = partial(json.dumps, _finite(data), indent=2, allow_nan=False)
    text = dumps(ensure_ascii=False)
    if target == "-":
        click.echo(text if _takes(text) else dumps())
    else:
        write_file(Path(target), text + "\n")


def _finite(data: Any) -> Any:
    """The data with ``infinite``, ``-infinite`` and ``undefined`` for the floats that are no numbers."""
    if isinstance(data, Mapping):
        return {key: _finite(x) for key, x in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(x) for x in data]
    if isinstance(data, float) and not isfinite(data):
        return "undefined" if isnan(data) else "infinite" if data > 0 else "-infinite"
    return data


def _takes(text: str) -> bool:
    """Whether standard output encodes the text as it is; JSON has escapes of its own."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def confirmed(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """What an option names, a file or ``-``, once the file is known to be writable."""
    if value is not None and value != "-":
        confirm_file(Path(value))
    return value
