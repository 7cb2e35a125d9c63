"""Where tensors live, on how many cores, and in which precision the network computes: one policy for the package."""

from __future__ import annotations

import os
import platform
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from chronomask.errors import InputError

if TYPE_CHECKING:
    import torch

Precision = Literal["auto", "float32", "bfloat16"]
EngineName = Literal["openvino", "onnxruntime", "torch"]
EngineChoice = Literal["auto", "openvino", "onnxruntime", "torch"]

_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
"""What decides on an x86-64 processor which kernels run, and how fast; names as in /proc/cpuinfo."""

_ISA = (
    *("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2"),
    *("AVX512_CORE", "AVX512_CORE_VNNI", "AVX512_CORE_BF16", "AVX512_CORE_FP16"),
)
"""Values of ONEDNN_MAX_CPU_ISA without matrix units, from the least to the most."""

MOST_CORES = 8
"""That one network uses. A guess: with more, the bandwidth of the memory should be the limit, not their number."""


def cores() -> int:
    """How many threads should compute: one a core that this process may use, eight at most.

    OMP_NUM_THREADS may ask for fewer, or for more than eight.
    """
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return max(1, min(there, int(wanted) if wanted.isdecimal() else MOST_CORES))


def processor_features() -> tuple[str, ...]:
    """What the processor can do that matters here, such as ("avx2", "amx_bf16"); its architecture if nothing is known.

    What ONEDNN_MAX_CPU_ISA forbids the kernels to use is left out.
    """
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
    found = [name for name in _FEATURES if name in _flags() and _allowed(name, limit)]
    return tuple(found) or (platform.machine(),)


def bfloat16_is_fast() -> bool:
    """Whether kernels compute faster in bfloat16 than in float32 on this processor.

    So it is with matrix units (three to four times), and with AMD's AVX512_BF16 (twice). Intel's AVX512_BF16 without
    matrix units is slower than its float32, and elsewhere bfloat16 is emulated.
    """
    features = processor_features()
    return "amx_bf16" in features or ("avx512_bf16" in features and "AuthenticAMD" in _cpuinfo())


def chosen_precision(wanted: Precision, engine: str, device: str = "cpu") -> str:
    """The precision in which an engine computes on a device: "float32" or "bfloat16".

    `auto` takes bfloat16 where it is faster and its tracks are held to those of float32 by a test: OpenVINO on
    processors that have it, PyTorch on processors with matrix units and on cards that have it.

    Raises:
        InputError: what was asked for is not to be had.
    """
    if wanted not in ("auto", "float32", "bfloat16"):
        raise InputError(f"precision {wanted!r}: must be auto, float32 or bfloat16")
    if wanted == "float32" or engine == "onnxruntime":
        if wanted == "bfloat16":
            raise InputError("precision bfloat16: onnxruntime computes in float32 only; use --engine openvino")
        return "float32"
    if device != "cpu":
        has = is_fast = _card_has_bfloat16(device)
    else:
        features = processor_features()
        has = "amx_bf16" in features or "avx512_bf16" in features
        # PyTorch converts every weight at every call, which only matrix units make up for.
        is_fast = bfloat16_is_fast() if engine == "openvino" else "amx_bf16" in features
    if wanted == "bfloat16" and not has:
        where = f"device {device} does not compute in it"
        if device == "cpu":
            known = f"known of it is {', '.join(processor_features())}" if _cpuinfo() else "told by Linux alone"
            where = f"this processor does not compute in it, as far as that is known ({known})"
        raise InputError(f"precision bfloat16: {where}; use --precision float32")
    return "bfloat16" if (is_fast if wanted == "auto" else has) else "float32"


def _card_has_bfloat16(device: str) -> bool:
    """Whether a CUDA card has units for it, as those have from Ampere on; PyTorch itself counts emulation too."""
    import torch

    is_card = torch.device(device).type == "cuda" and torch.version.hip is None
    return is_card and torch.cuda.get_device_capability(device)[0] >= 8


def choose_device(name: str) -> torch.device:
    """The device of a PyTorch device name; "auto" is CUDA where there is a card, else the CPU.

    Raises:
        InputError: no such device on this machine.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        float(torch.ones(1, device=device).sum())  # some devices only fail when they compute
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device {name!r} is not usable on this machine: {reason}") from error
    return device


def _allowed(feature: str, limit: str) -> bool:
    if limit not in _ISA or feature == "avx2":
        return True
    needs = {"avx512f": "AVX512_CORE", "avx512_vnni": "AVX512_CORE_VNNI", "avx512_bf16": "AVX512_CORE_BF16"}
    return feature in needs and _ISA.index(needs[feature]) <= _ISA.index(limit)


def _flags() -> frozenset[str]:
    lines = [line for line in _cpuinfo().splitlines() if line.startswith(("flags", "Features"))]
    return frozenset(lines[0].split(":", 1)[1].split()) if lines else frozenset()


@lru_cache(maxsize=1)
def _cpuinfo() -> str:
    """What Linux says of the processor. Elsewhere nothing is known, and float32 is used."""
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.is_file() else ""
