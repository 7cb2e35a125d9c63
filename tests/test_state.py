"""What a part writes down of itself comes back, or says that it is damaged."""

import io

import numpy as np
import pytest

from chronomask.errors import InputError
from chronomask.state import from_bytes, nested, part, to_bytes

STATE = {
    "number": np.array(7),
    "text": np.array('{"overlap": 4}'),
    "nothing": np.zeros((0, 3), np.int64),
    "values": np.arange(12, dtype=np.float32).reshape(3, 4),
    "inner.values": np.array([True, False]),
}


def test_round_trip():
    found = from_bytes(to_bytes(STATE))
    assert list(found) == list(STATE)
    for name, value in STATE.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)


def test_parts_keep_their_names_apart():
    inner, outer = {"a": np.array(1)}, {"a": np.array(2), "b": np.array(3)}
    whole = {"a": np.array(0), **nested("inner", inner), **nested("outer", nested("deep", outer))}
    assert part(whole, "inner") == inner
    assert part(part(whole, "outer"), "deep") == outer
    assert part(whole, "out") == {}


def test_damage_is_found_wherever_it_is():
    """A bit that flips never changes a value unseen; some mean nothing."""
    data, refused = to_bytes(STATE), 0
    for place in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[place] ^= 0x10
        try:
            found = from_bytes(bytes(damaged))
        except InputError as error:
            assert "snapshot of an interrupted run: cannot be read" in str(error)  # noqa: PT017
            refused += 1
        else:
            for name in found.keys() & STATE.keys():
                np.testing.assert_array_equal(found[name], STATE[name])
    assert refused > 50


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_part_of_it_is_refused(share):
    data = to_bytes(STATE)
    with pytest.raises(InputError, match="cannot be read"):
        from_bytes(data[: int(share * len(data))])


def test_other_files_are_refused():
    objects = io.BytesIO()
    np.savez(objects, thing=np.array([{"code": "that would run"}], dtype=object))
    array = io.BytesIO()
    np.save(array, np.arange(3))
    for data in (b"other bytes", objects.getvalue(), array.getvalue()):
        with pytest.raises(InputError, match="cannot be read"):
            from_bytes(data)
