# Generated from the dRPC registry: change that instead.

from enum import IntEnum


class Module(IntEnum):
    """The IDs of the modules."""

    BELOW_ZERO = -3
    EMPTY = 0  # A module without methods.
    TYPE = 12  # A module named by a keyword. With a second paragraph, * / the end of a C comment, and a pipe | too.


class BelowZeroMethod(IntEnum):
    """The IDs of the methods of module below_zero."""

    LOWEST = -300
    HIGHEST = -201


class EmptyMethod(IntEnum):
    """The IDs of the methods of module empty."""


class TypeMethod(IntEnum):
    """The IDs of the methods of module type."""

    NAME = 1201
    ID = 1202  # A "quoted" <word>, a mark, `code | <T>` and a [link] in braces {}.
    METHOD = 1203  # Takes one like Request { id: 5 } ``` let reply = call(); ```
    MATCH = 1210  # A method named by a keyword.
