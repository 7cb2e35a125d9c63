"""Cores, precision and devices, on processors that this machine has not."""

import os
import platform

import pytest

from chronomask import device as room
from chronomask.device import (
    MOST_CORES,
    bfloat16_is_fast,
    choose_device,
    chosen_precision,
    cores,
    processor_features,
)
from chronomask.errors import InputError

AVX512 = "avx2 avx512f avx512dq avx512bw avx512vl avx512_vnni"
PROCESSORS = {
    "Sapphire Rapids": ("GenuineIntel", f"{AVX512} avx512_bf16 amx_bf16 amx_tile amx_int8"),
    "Cooper Lake": ("GenuineIntel", f"{AVX512} avx512_bf16"),
    "Zen 4": ("AuthenticAMD", f"{AVX512} avx512_bf16"),
    "plain AVX2": ("AuthenticAMD", "sse4_1 avx avx2"),
    "old": ("GenuineIntel", "sse4_1"),
}
MATRIX_UNITS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


@pytest.fixture
def processor(monkeypatch):
    """Makes this machine one with another processor."""
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)

    def become(name, machine="x86_64"):
        if name in PROCESSORS:
            vendor, flags = PROCESSORS[name]
            text = f"processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: fpu vme {flags}\nbogomips\t: 1\n"
        else:
            text = name
        monkeypatch.setattr(room, "_cpuinfo", lambda: text)
        monkeypatch.setattr(platform, "machine", lambda: machine)

    return become


@pytest.mark.parametrize(
    ("name", "features", "fast"),
    [
        ("Sapphire Rapids", MATRIX_UNITS, True),
        ("Cooper Lake", MATRIX_UNITS[:4], False),  # slower than its float32
        ("Zen 4", MATRIX_UNITS[:4], True),
        ("plain AVX2", ("avx2",), False),
        ("old", ("x86_64",), False),
        ("", ("x86_64",), False),
    ],
)
def test_what_processors_can_do(processor, name, features, fast):
    processor(name)
    assert processor_features() == features
    assert bfloat16_is_fast() is fast


def test_arm(processor):
    processor("processor\t: 0\nFeatures\t: fp asimd bf16 i8mm\nCPU part\t: 0xd40\n", "aarch64")
    assert processor_features() == ("aarch64",)
    assert chosen_precision("auto", "openvino") == "float32"


@pytest.mark.parametrize(
    ("limit", "features"),
    [
        ("AVX2", MATRIX_UNITS[:1]),
        ("avx512_core", MATRIX_UNITS[:2]),
        ("AVX512_CORE_VNNI", MATRIX_UNITS[:3]),
        ("AVX512_CORE_BF16", MATRIX_UNITS[:4]),
        ("AVX512_CORE_FP16", MATRIX_UNITS[:4]),
        ("AVX2_VNNI_2", MATRIX_UNITS[:1]),
        ("AVX512_CORE_AMX", MATRIX_UNITS),
        ("DEFAULT", MATRIX_UNITS),
        ("", MATRIX_UNITS),
    ],
)
def test_what_kernels_may_not_use_does_not_count(processor, monkeypatch, limit, features):
    processor("Sapphire Rapids")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert processor_features() == features
    assert chosen_precision("auto", "torch") == ("bfloat16" if "amx_bf16" in features else "float32")


@pytest.mark.parametrize(
    ("name", "openvino", "torch"),
    [
        ("Sapphire Rapids", "bfloat16", "bfloat16"),
        ("Cooper Lake", "float32", "float32"),
        ("Zen 4", "bfloat16", "float32"),
        ("plain AVX2", "float32", "float32"),
        ("", "float32", "float32"),
    ],
)
def test_the_precision_of_who_does_not_say(processor, name, openvino, torch):
    processor(name)
    found = [chosen_precision("auto", engine) for engine in ("openvino", "torch", "onnxruntime")]
    assert found == [openvino, torch, "float32"]
    assert {chosen_precision("float32", engine) for engine in ("openvino", "torch", "onnxruntime")} == {"float32"}


@pytest.mark.parametrize("name", ["Sapphire Rapids", "Cooper Lake", "Zen 4"])
@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_bfloat16_is_to_be_had_where_the_processor_has_it(processor, name, engine):
    processor(name)
    assert chosen_precision("bfloat16", engine) == "bfloat16"


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_bfloat16_is_refused_where_the_processor_lacks_it(processor, engine):
    processor("plain AVX2")
    with pytest.raises(InputError, match=r"^precision bfloat16: .* \(known of it is avx2\); use --precision float32$"):
        chosen_precision("bfloat16", engine)


def test_onnxruntime_refuses_bfloat16_everywhere(processor):
    processor("Sapphire Rapids")
    with pytest.raises(InputError, match=r"^precision bfloat16: .* in float32 only; use --engine openvino$"):
        chosen_precision("bfloat16", "onnxruntime")


@pytest.fixture
def machine_of(monkeypatch):
    """Makes this machine one with so many cores for this process."""

    def machine_of(count):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(count)), raising=False)

    return machine_of


@pytest.mark.parametrize(
    ("there", "wanted", "expected"),
    [
        (4, None, 4),
        (4, "1", 1),
        (4, "3", 3),
        (4, "9", 4),
        (4, "2,4", 2),  # of nested regions the outer one
        (4, "0", 1),
        (4, "", 4),
        (4, "many", 4),
        (200, None, MOST_CORES),
        (200, "100", 100),
    ],
)
def test_cores(machine_of, monkeypatch, there, wanted, expected):
    machine_of(there)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if wanted is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", wanted)
    assert cores() == expected


def test_cores_where_nobody_says_which_a_process_may_use(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for count, expected in ((3, 3), (None, 1)):
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        assert cores() == expected


def test_devices():
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type in ("cpu", "cuda")
    for name in ("cuda:77", "abacus", "meta"):
        with pytest.raises(InputError, match=f"^device '{name}' is not usable on this machine: .*$"):
            choose_device(name)
