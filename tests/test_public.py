"""What is public, and that it says what it means."""

import inspect

import chronomask


def test_the_public_names():
    assert dir(chronomask) == sorted(chronomask.__all__)
    for name in chronomask.__all__:
        value = getattr(chronomask, name)
        assert name == "__version__" or inspect.getdoc(value)
