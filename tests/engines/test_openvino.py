"""Networks that OpenVINO has compiled: any size, from any thread, and the same whatever the machine is busy with."""

import gc
import os
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from chronomask.config import SegmentConfig
from chronomask.engines.engine import padded
from chronomask.engines.models import model_files
from chronomask.engines.opening import open_engine
from chronomask.engines.openvino import SIZES, OpenVinoEngine, _Pool
from chronomask.segmenter.segmenter import Segmenter
from engines.videos import VIDEOS, tubes_of

pytestmark = pytest.mark.network


def opened(precision="float32"):
    engine = open_engine(model_files("lite"), 8, device="cpu", engine="openvino", precision=precision)
    assert isinstance(engine, OpenVinoEngine)
    return engine


@pytest.fixture(scope="module")
def engine():
    return opened()


def frames_of(height=64, width=96):
    images = [image[:height, :width] for image in VIDEOS["cat"]()[:8]]
    return padded(np.stack(images).transpose(0, 3, 1, 2))


def arrays_of(features):
    """Everything that is known of some frames."""
    return [array for frame in features for array in (*frame.decoded, frame.look, frame.class_logits)]


def check_equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_frames_are_computed_alone(engine):
    """To the last bit, however many come at a time."""
    frames = frames_of()
    whole = engine.encode(frames)
    check_equal(arrays_of(whole), arrays_of(engine.encode(frames[:3]) + engine.encode(frames[3:])))
    assert engine.together is False


def test_what_was_computed_stays_when_more_is_computed(engine):
    """Buffers of a request are used again; what was handed out must not be such a buffer."""
    frames = frames_of()
    first = engine.encode(frames)
    pixels = engine.decode(first)
    before = [array.copy() for array in (*arrays_of(first), pixels)]
    engine.decode(engine.encode(255 - frames))
    check_equal([*arrays_of(first), pixels], before)


def test_many_threads_at_a_time(engine):
    clips = [frames_of()[:, :, ::step] for step in (1, -1)] * 4
    expected = [engine.decode(engine.encode(clip)) for clip in clips]
    together = threading.Barrier(4, timeout=60)

    def decoded(clip):
        together.wait()
        return engine.decode(engine.encode(clip))

    with ThreadPoolExecutor(4) as pool:
        check_equal(list(pool.map(decoded, clips)), expected)


def test_requests_are_made_when_they_are_needed_and_no_more_than_may_be():
    made = []

    class Compiled:
        def __init__(self, count):
            made.append(count)

        def create_infer_request(self):
            return object()

    pool = _Pool(Compiled, 2, 1)
    with pool.taken() as one, pool.taken() as two:
        assert made == [2]
        assert one is not two
    with pool.taken() as one, pool.taken() as two, pool.taken() as three:
        assert made == [2, 1]
        assert three not in (one, two)
        begun, waiting = threading.Event(), []
        late = threading.Thread(target=lambda: (begun.set(), waiting.append(pool.taken().__enter__())))
        late.start()
        begun.wait(20)
        assert waiting == []
    late.join(20)
    assert waiting[0] in (one, two, three)
    assert made == [2, 1]


def test_it_goes_without_the_garbage_collector():
    """Which takes cycles apart in any order: OpenVINO crashed."""
    engine = opened()
    gc.collect()
    gc.disable()
    try:
        engine.encode(frames_of())
        gone = weakref.ref(engine)
        del engine
        assert gone() is None
    finally:
        gc.enable()


def test_few_sizes_are_kept_and_all_are_computed(monkeypatch):
    engine = opened()
    compiled, original = [], engine._compile
    monkeypatch.setattr(engine, "_compile", lambda size: compiled.append(size) or original(size))
    sizes = [(32, 32 * number) for number in range(1, SIZES + 2)]
    expected = {size: engine.decode(engine.encode(frames_of(*size))) for size in sizes}
    assert compiled == sizes
    assert [pixels.shape[2:] for pixels in expected.values()] == [(8, 8 * number) for number in range(1, SIZES + 2)]
    for size in (sizes[-1], sizes[0]):
        np.testing.assert_array_equal(engine.decode(engine.encode(frames_of(*size))), expected[size])
    assert compiled == [*sizes, sizes[0]]  # the first had to make room for the last


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_the_number_of_cores_changes_nothing(monkeypatch, precision):
    """To the last bit: with the same engine and precision a machine always gives the same."""
    found = []
    for count in (1, 3):
        monkeypatch.setattr("chronomask.engines.openvino.cores", lambda count=count: count)
        engine = opened(precision)
        assert engine.threads == count
        found.append(tubes_of(Segmenter(engine, SegmentConfig(short_side=96, score=0.0)), VIDEOS["cat"]()))
    (tubes, tracks), (others, same) = found
    assert tracks == same
    assert len(tracks) > 0
    for number, mask in tubes.items():
        assert np.array_equal(mask, others[number])


def test_nobody_is_told_that_it_was_imported(tmp_path):
    """OpenVINO's telemetry reports imports, and writes into the user's home to know the user again."""
    code = """
import sys
from chronomask.engines.openvino import imported

openvino = imported()
assert type(openvino.tools.ovc.telemetry).__module__ == "openvino.tools.ovc.telemetry_stub"
assert "openvino_telemetry" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"HOME": str(tmp_path)})
    assert not list(tmp_path.iterdir())


FIRST_CALLS = """
import os, sys, threading
import numpy as np
from chronomask.engines.openvino import imported
openvino = imported()
from openvino import opset13
sys.setswitchinterval(1e-6)
given = opset13.parameter([1, 3, 8, 8], np.uint8)
compiled = openvino.Core().compile_model(openvino.Model([opset13.convert(given, "f32")], [given], "model"), "CPU")
together = threading.Barrier(2)
def compute(request):
    together.wait()
    request.infer([np.zeros((1, 3, 8, 8), np.uint8)])
threads = [threading.Thread(target=compute, args=(compiled.create_infer_request(),), daemon=True) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join(20)
os._exit(sum(thread.is_alive() for thread in threads))
"""


def test_two_threads_may_begin_at_once():
    """Without care a fifth of such processes hangs."""
    for _ in range(5):
        assert subprocess.run([sys.executable, "-c", FIRST_CALLS], check=False).returncode == 0
