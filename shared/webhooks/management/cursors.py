"""Paging cursors: opaque, and valid only for the caller and the list that they were made for.

They are sealed like secrets, bound to caller and list, so that no position can be read, changed or carried elsewhere.
"""

import base64
import binascii

from webhooks.errors import FieldError, InvalidCursor, Undecryptable
from webhooks.sealing import SecretBox

MAX_CHARACTERS = 2_048


class Cursors:
    """Makes and reads cursors."""

    def __init__(self, box: SecretBox) -> None:
        self._box = box

    def seal(self, position: str, *, caller: str, listing: str) -> str:
        """A cursor for going on after `position`. `listing` names the list with everything that selects its items."""
        sealed = self._box.seal(position, context=_context(caller, listing))
        return _text(sealed)

    def open(self, cursor: str | None, *, caller: str, listing: str) -> str | None:
        """The position that a cursor stands for, None for no cursor.

        Raises InvalidCursor when it is damaged, or was made for another caller or list.
        """
        if cursor is None:
            return None
        try:
            if len(cursor) > MAX_CHARACTERS:
                raise _invalid()
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            if _text(sealed) != cursor:  # the last character has bits that count for nothing
                raise _invalid()
            return self._box.open(sealed, context=_context(caller, listing))
        except (binascii.Error, ValueError, Undecryptable) as exc:
            raise _invalid() from exc


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _context(caller: str, listing: str) -> str:
    return f"cursor|{len(caller)}|{caller}|{listing}"


def _invalid() -> InvalidCursor:
    message = "is not a cursor of this list: start again without it"
    return InvalidCursor(f"cursor: {message}", [FieldError("cursor", message)])
