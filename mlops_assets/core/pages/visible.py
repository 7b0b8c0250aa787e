"""Text from data, made harmless to read: what cannot be seen is spelled out.

A column or category may be called anything. Control characters end files early, marks of direction make one name look
like another, half a surrogate cannot be written down at all.
"""

import unicodedata

# controls, formats (marks of direction, zero width), surrogates, private use, unassigned, line and paragraph separators
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def visible(text: str) -> str:
    """The text with every character that is not seen written as its code point; ends of lines and tabs as spaces.

    >>> visible("delay\\u202e nim\\x00")
    'delay⟨U+202E⟩ nim⟨U+0000⟩'
    """
    return "".join(map(_visible, text))


def _visible(char: str) -> str:
    if char in "\t\n\r":
        return " "
    return f"⟨U+{ord(char):04X}⟩" if unicodedata.category(char) in _UNSEEN else char
