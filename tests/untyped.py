"""For tests that trace (the type checks of the tests know no symbolic sizes), and of files that may say anything."""

from contextlib import contextmanager

import jaxtyping
import pytest


@contextmanager
def untyped():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jaxtyping.config, "jaxtyping_disable", True)
        yield
