#!/usr/bin/env bash
# OpenVINO lists bfloat16 as a capability that its own kernels may not use.
#
# Seen with openvino 2026.4.1, Python 3.11, Linux, on an AMD processor with AVX512_BF16.
#
# Guess: oneDNN's switch ONEDNN_MAX_CPU_ISA, which is how one tries what a plainer processor does, also narrows
# OPTIMIZATION_CAPABILITIES; a model compiled without further words then runs in float32.
# Seen: the list says BF16 under any limit. Under AVX2 a convolution compiled with default options, which take bfloat16
# because the list says so, ends in "object is not initialized"; with the hint f32 the same model runs. Under
# AVX512_CORE it compiles, and runs in an emulated bfloat16 at about half the rate of float32. The hint f16 is answered
# by bfloat16, as the property read back tells.
#
# Why it matters to users of video masks: a test farm, a container or a user sets the switch for reproducible masks, and
# the segmenter stops with a riddle, or gets slower by being asked for less precision. Whoever chooses a precision must
# look at the limit and at the processor, not at the list alone.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet openvino==2026.4.1 numpy==2.4.6
cat > "$place/look.py" <<'PY'
import sys
import time

import numpy as np
import openvino as ov
from openvino import opset13 as op

core = ov.Core()
listed = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
pixels = op.parameter([1, 64, 64, 112], np.float32)
kernel = op.constant(np.random.default_rng(0).normal(0, 0.04, (64, 64, 3, 3)).astype(np.float32))
model = ov.Model([op.convolution(pixels, kernel, [1, 1], [1, 1], [1, 1], [1, 1])], [pixels], "one convolution")
frame = np.random.default_rng(1).normal(0, 1, (1, 64, 64, 112)).astype(np.float32)


def run(**options):
    try:
        compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, **options})
    except RuntimeError as error:
        return str(error).strip().splitlines()[-1], 0.0
    request = compiled.create_infer_request()
    seconds = []
    for _ in range(12):
        begin = time.perf_counter()
        request.infer([frame])
        seconds.append(time.perf_counter() - begin)
    return compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name(), min(seconds)


by_default, exact, half = run(), run(INFERENCE_PRECISION_HINT="f32"), run(INFERENCE_PRECISION_HINT="f16")
print(f"BF16 listed: {listed}; default: {by_default[0]}; hint f32: {exact[0]}; hint f16: {half[0]}")
if exact[1] and by_default[1]:
    print(f"  default takes {by_default[1] / exact[1]:.2f} of the time of f32")
limit = sys.argv[1]
if limit == "none":
    sys.exit(0 if not listed or half[0] == "bf16" else 1)
if limit == "AVX2":
    sys.exit(0 if listed and "not initialized" in by_default[0] and exact[0] == "f32" else 1)
sys.exit(0 if listed and by_default[0] == "bf16" and by_default[1] > 1.2 * exact[1] else 1)
PY
if ! grep -q -e avx512_bf16 -e amx_bf16 /proc/cpuinfo; then
  echo "this processor has no bfloat16, so there is nothing to see"
  exit 0
fi
for limit in none AVX2 AVX512_CORE; do
  echo "ONEDNN_MAX_CPU_ISA: $limit"
  if [ "$limit" = none ]; then
    "$place/venv/bin/python" "$place/look.py" none
  else
    ONEDNN_MAX_CPU_ISA=$limit "$place/venv/bin/python" "$place/look.py" "$limit"
  fi
done
echo "as described"
