#!/usr/bin/env bash
# torch.load takes a file in which a byte has changed, although the file holds checksums that say so.
#
# Seen with torch 2.13.0 (CPU), Python 3.11, Linux.
#
# Guess: a checkpoint is a zip file, whose entries have checksums; a byte that changed in the weights is an error when the
# file is loaded, as it is for Python's own zipfile.
# Seen: the weights are loaded with the changed value, without an error or a warning. zipfile.ZipFile.testzip() names the
# entry at once.
#
# Why it matters to users of video masks: trainings take days and go on from such files, on disks and through networks
# that lose bits. One changed exponent makes a weight infinite, and one changed moment of an optimizer ends in NaN hours
# later, or in a model that is a little worse. Whoever resumes from a file should ask testzip() first, which costs
# as much as reading it once.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - <<'PY'
import sys
import zipfile
from pathlib import Path

import torch

torch.save({"weight": torch.ones(1000)}, "state.pt")
data = bytearray(Path("state.pt").read_bytes())
ones = torch.ones(1000).numpy().tobytes()
start = bytes(data).index(ones)
data[start + 4 * 500 + 3] ^= 0x40  # the greatest bit of an exponent, of weight 500
Path("state.pt").write_bytes(data)

with zipfile.ZipFile("state.pt") as file:
    noticed = file.testzip()
loaded = torch.load("state.pt", weights_only=True)["weight"]
changed = (loaded != 1).nonzero().flatten().tolist()
print(f"zipfile names {noticed}; torch.load takes it, weight {changed} is {loaded[changed].tolist()} instead of 1")
sys.exit(0 if noticed and changed == [500] else 1)
PY
echo "as described"
