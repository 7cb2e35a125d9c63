#!/usr/bin/env bash
# lap gives assignments that are not optimal once costs are large, without a word.
#
# Seen with lap 0.5.13 and numpy 2.4.6, Python 3.11, Linux; compared with SciPy 1.17.1.
#
# Guess: the Jonker-Volgenant algorithm is exact, so a matrix and the same matrix times a million have one assignment.
# Seen: costs up to a million are solved rightly. Of matrices with larger ones (lap's own number for "infinite" is a
# million) a third comes back with pairs whose sum is greater than that of SciPy's; scaled to 0..1 the same matrices are
# solved rightly. NaN is taken without an error.
#
# Why it matters to users of video masks: trackers assign detections to tracks by such a solver, and costs that are no
# IoU (squared pixel distances of 4K video, Mahalanobis gates, "impossible" marked by a large number) are just that large.
# The ids are then swapped now and then, and nothing says why.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet lap==0.5.13 numpy==2.4.6 scipy==1.17.1
"$place/venv/bin/python" - <<'PY'
import sys

import lap
import numpy as np
from scipy.optimize import linear_sum_assignment


def worse(scale):
    """Of 2,000 matrices of distances, how many are solved with a greater sum than the least."""
    generator, count = np.random.default_rng(0), 0
    for _ in range(2000):
        rows, columns = generator.integers(2, 9, 2)
        costs = generator.random((rows, columns)) * scale
        _, found, _ = lap.lapjv(costs, extend_cost=True)
        pairs = [(row, column) for row, column in enumerate(found) if column >= 0]
        least = costs[linear_sum_assignment(costs)].sum()
        count += sum(costs[pair] for pair in pairs) > least * (1 + 1e-9) or len(pairs) < min(rows, columns)
    return count


counts = {scale: worse(scale) for scale in (1.0, 1e4, 1e6, 1e8)}
for scale, count in counts.items():
    print(f"costs up to {scale:7.0e}: {count} of 2000 are not optimal")
taken = lap.lapjv(np.array([[np.nan, 1.0], [1.0, np.nan]]), extend_cost=True)[1]
print(f"NaN on the diagonal: taken, columns {taken.tolist()}")
sys.exit(0 if counts[1.0] == 0 and counts[1e8] > 0 else 1)
PY
echo "as described"
