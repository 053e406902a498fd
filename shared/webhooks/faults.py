"""What a value of the wrong kind is told, in the product's words: pydantic's own speak of types of Python."""

from collections.abc import Callable, Mapping
from typing import Any

Context = Mapping[str, Any]

_WHOLE, _NUMBER, _TEXT = "must be a whole number", "must be a number", "must be text"
_OBJECT, _LIST, _BOOLEAN = "must be an object", "must be a list", "must be true or false"
_PLAIN: Mapping[str, str] = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "string_type": _TEXT,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": "is too large",
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "must be a finite number",
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "list_type": _LIST,
    "none_required": "must be null",
    "invalid_key": "has a key that is not text",
    "string_pattern_mismatch": "is not of the right form",
}


_CODES: Mapping[str, str] = {
    "missing": "required",
    "extra_forbidden": "unknown",
    "unknown_parameter": "unknown",
    "string_too_short": "too_short",
    "string_too_long": "too_long",
    "greater_than": "too_small",
    "greater_than_equal": "too_small",
    "less_than": "too_large",
    "less_than_equal": "too_large",
    "int_parsing_size": "too_large",
    "literal_error": "not_allowed",
    "string_pattern_mismatch": "wrong_form",
}


def _at_least(context: Context, unit: str, name: str) -> str:
    least = int(context[name])
    return "must not be empty" if least == 1 else f"must have at least {least:,} {unit}"


_WITH_LIMIT: Mapping[str, Callable[[Context], str]] = {
    "string_too_short": lambda context: _at_least(context, "characters", "min_length"),
    "string_too_long": lambda context: f"must have at most {int(context['max_length']):,} characters",
    "too_short": lambda context: _at_least(context, "entries", "min_length"),
    "too_long": lambda context: f"must have at most {int(context['max_length']):,} entries",
    "greater_than": lambda context: f"must be greater than {context['gt']:,g}",
    "greater_than_equal": lambda context: f"must be at least {context['ge']:,g}",
    "less_than": lambda context: f"must be less than {context['lt']:,g}",
    "less_than_equal": lambda context: f"must be at most {context['le']:,g}",
    "literal_error": lambda context: f"must be {context['expected']}",
}


def in_words(fault: Mapping[str, Any]) -> str:
    """The message for one of pydantic's errors, never with the value in it. Ours (PydanticCustomError) stay as they
    are."""
    kind = str(fault["type"])
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind in _WITH_LIMIT and fault.get("ctx"):
        return _WITH_LIMIT[kind](fault["ctx"])
    return str(fault["msg"])


def code_of(fault: Mapping[str, Any]) -> str:
    """The stable code of one of pydantic's errors: `wrong_type` for what is of another type than it should be."""
    kind = str(fault["type"])
    return _CODES.get(kind) or ("wrong_type" if kind in _PLAIN else kind)
