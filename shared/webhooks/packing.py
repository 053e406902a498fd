"""Bytes as they are stored: compressed when that is smaller. DynamoDB bills writes by the KiB."""

import zlib

_PLAIN = b"\x00"
_DEFLATED = b"\x01"
_WORTH_TRYING_BYTES = 200
_LEVEL = 3


def pack(raw: bytes) -> bytes:
    """One marker byte and the content."""
    if len(raw) >= _WORTH_TRYING_BYTES:
        deflated = zlib.compress(raw, _LEVEL)
        if len(deflated) < len(raw):
            return _DEFLATED + deflated
    return _PLAIN + raw


def unpack(packed: bytes) -> bytes:
    """What was packed, byte for byte."""
    return zlib.decompress(packed[1:]) if packed[:1] == _DEFLATED else packed[1:]
