"""What the decoders of hot stream frames are made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec

from mpdex.types import BookUpdate


class Frame(msgspec.Struct, gc=False):
    """Frames hold no reference cycles, so the collector need not look at them."""


# Past the argument handling of a NamedTuple's constructor: books are most of what comes, and it is
# a tenth of what a small one costs.
book_update: Final[Callable[[tuple[Any, ...]], BookUpdate]] = partial(tuple.__new__, BookUpdate)
