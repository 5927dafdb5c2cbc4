"""From a file's bytes to text: encodings, line ends, and what is no text at all."""

from __future__ import annotations

import codecs
import hashlib
import re
from dataclasses import dataclass

from quire_engine.errors import VaultError

_SAMPLE = 8192
_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF87a": "a GIF image",
    b"GIF89a": "a GIF image",
    b"%PDF-": "a PDF",
    b"PK\x03\x04": "a ZIP archive or office document",
    b"\x1f\x8b\x08": "a gzip archive",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"\x7fELF": "a program",
    b"SQLite format 3\x00": "an SQLite database",
    b"bplist00": "a binary property list",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an office document",
    b"ID3": "an audio file",
    b"OggS": "an audio file",
    b"RIFF": "an audio, video or image file",
}
# UTF-32 before UTF-16: the little-endian mark of the one begins with that of the other.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL = bytes(byte for byte in range(32) if byte not in b"\t\n\x0b\x0c\r\x1b")
# Lone surrogates count although UTF-8 forbids them: they too come from a program that writes UTF-8.
_MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]"
    rb"|(?:\xe0[\xa0-\xbf]|[\xe1-\xef][\x80-\xbf])[\x80-\xbf]"
    rb"|(?:\xf0[\x90-\xbf]|\xf4[\x80-\x8f]|[\xf1-\xf3][\x80-\xbf])[\x80-\xbf]{2}"
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a file."""

    text: str
    """Line ends are ``\\n``; NUL is U+FFFD."""
    warnings: tuple[str, ...] = ()


def content_hash(data: bytes) -> bytes:
    """BLAKE2b with 16 bytes, of the file as it is on disk."""
    return hashlib.blake2b(data, digest_size=16).digest()


def decode(data: bytes) -> Decoded:
    """Decode a note: a byte order mark decides, else UTF-8, else (with a warning) what fits best.

    Bytes that are not UTF-8 are read as Windows-1252 when nothing in the file is multi-byte UTF-8 (an old
    Western European file), and are otherwise replaced by U+FFFD. Raises `VaultError` for a binary file.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decode_as(data[len(mark) :], encoding)
    if reason := _binary(data[:_SAMPLE]):
        raise VaultError(reason)
    try:
        return Decoded(_normalise(data.decode("utf-8")))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    if _MULTIBYTE.search(data):
        text = data.decode("utf-8", "replace")
        return Decoded(_normalise(text), (f"line {line}: bytes that are not UTF-8 were replaced",))
    text = data.decode("cp1252", "replace")
    return Decoded(_normalise(text), (f"line {line}: not UTF-8; read as Windows-1252",))


def _decode_as(data: bytes, encoding: str) -> Decoded:
    try:
        return Decoded(_normalise(data.decode(encoding)))
    except UnicodeDecodeError:
        text = _normalise(data.decode(encoding, "replace"))
        return Decoded(text, (f"bytes that are not {encoding.upper()} were replaced",))


def _normalise(text: str) -> str:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\0", "\ufffd") if "\0" in text else text


def _binary(sample: bytes) -> str | None:
    for signature, what in _SIGNATURES.items():
        if sample.startswith(signature):
            # Short signatures are plain letters, so they count only beside bytes that no text has.
            if len(signature) > 3 and not signature.isalnum():
                return f"not a text file: it looks like {what}"
            if _control_share(sample) > 0.02:
                return f"not a text file: it looks like {what}"
    share = _control_share(sample)
    if share > 0.3:
        return "not a text file: it is full of control bytes"
    if share > 0.05:
        try:
            # A sample may end within a character, which is no sign of a binary file.
            codecs.getincrementaldecoder("utf-8")().decode(sample)
        except UnicodeDecodeError:
            return "not a text file: it mixes control bytes with bytes that are not UTF-8"
    return None


def _control_share(sample: bytes) -> float:
    return 1 - len(sample.translate(None, _CONTROL)) / len(sample) if sample else 0.0
