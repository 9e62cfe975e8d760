"""From a file's bytes to the text or the columns inside: archives and encodings."""

from __future__ import annotations

import codecs
import gzip
import io
import zipfile

from treadle.systems.collect.errors import UnreadableSource

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def unpacked(name: str, data: bytes) -> tuple[str, bytes]:
    """Name and bytes of what is inside of a .gz, or of a .zip with one file; others stay as they are."""
    try:
        if name.endswith(".gz"):
            return name.removesuffix(".gz"), gzip.decompress(data)
        if not name.endswith(".zip"):
            return name, data
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [m for m in archive.namelist() if not m.endswith("/") and not m.startswith("__MACOSX")]
            if len(members) != 1:
                raise UnreadableSource(
                    f"{name} holds {len(members)} files; one is expected.", fix="Unpack it, and land the files."
                )
            return members[0], archive.read(members[0])
    except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError) as error:
        raise UnreadableSource(f"{name} is no whole archive: {error}.", fix="Fetch or export it again.") from error


def decoded(name: str, data: bytes, encoding: str) -> str:
    """The text in an encoding, lines ended by line feeds. Raises UnreadableSource that names the line and a guess."""
    try:
        text = data.decode(codec_of(encoding))
    except LookupError as error:
        raise no_encoding(encoding) from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise wrong_encoding(name, encoding, data[:4], line, data[error.start]) from error
    return with_line_feeds(text)


def with_line_feeds(text: str) -> str:
    """Lines of old exports end with a carriage return alone."""
    return text.replace("\r", "\n") if "\r" in text and "\n" not in text else text


def codec_of(encoding: str) -> str:
    """Python's name; a mark of byte order is no part of a text in UTF-8."""
    return "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding


def no_encoding(encoding: str) -> UnreadableSource:
    return UnreadableSource(f"There is no encoding {encoding!r}.", fix="Common ones: utf-8, latin-1, cp1252.")


def wrong_encoding(name: str, encoding: str, begin: bytes, line: int, byte: int) -> UnreadableSource:
    """The error for bytes that are not text in the encoding. begin: the first bytes of the file."""
    marked = next((found for mark, found in _MARKS if begin.startswith(mark)), None)
    if marked is not None:
        return UnreadableSource(
            f"{name} is not {encoding}: it begins with the mark of {marked}.",
            fix=f"Land it with encoding={marked!r}.",
            line=1,
        )
    return UnreadableSource(
        f"{name} is not {encoding}: line {line} holds the byte 0x{byte:02x}.",
        why="Exports from older systems are often latin-1 or cp1252.",
        fix="Land it with encoding='latin-1' if that is what it is.",
        line=line,
    )
