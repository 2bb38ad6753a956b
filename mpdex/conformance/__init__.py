"""The suite that every venue passes, in parts; `mpdex.testing` puts them together."""

import pytest

# Before any of them is imported, so that a failed assert says what was compared.
pytest.register_assert_rewrite(
    *(f"{__name__}.{part}" for part in ("shapes", "stage", "facts", "orders", "streams", "doubts"))
)
