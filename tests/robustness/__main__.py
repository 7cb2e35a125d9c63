"""Any number of mutants of one kind, or of all by turns."""

from __future__ import annotations

import argparse
import faulthandler
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest has it

from tests.robustness.harness import SECONDS, outcomes
from tests.robustness.kinds import KINDS


def run(names: list[str], seed: int, numbers: range) -> int:
    """Prints a line a kind, and every failure; returns how many there were."""
    failures = 0
    for name in names:
        codes: Counter[int] = Counter()
        slowest = 0.0
        seen: Counter[str] = Counter()
        for outcome in outcomes(KINDS[name], name, seed, numbers):
            codes[outcome.code] += 1
            slowest = max(slowest, outcome.seconds)
            faulthandler.dump_traceback_later(6 * SECONDS, exit=True)  # what never comes back from C is no less a hang
            if outcome.failure:
                failures += 1
                last = outcome.failure.strip().splitlines()[-1][:200]
                seen[last] += 1
                if seen[last] <= 1:
                    print(f"--- --kind {name} --seed {seed} --first {outcome.number} --count 1: {outcome.damage[:300]}")
                    print("\n".join(outcome.failure.strip().splitlines()[-14:]), flush=True)
        bad = sum(seen.values())
        print(f"{name}: {len(numbers)} mutants, {codes[0]} accepted, {codes[2]} refused, {bad} failures,", end=" ")
        print(f"slowest {slowest:.2f} s", flush=True)
    return failures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.robustness", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="mutants of each kind")
    parser.add_argument("--kind", choices=[*KINDS, "all"], default="all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    given = parser.parse_args()
    names = list(KINDS) if given.kind == "all" else [given.kind]
    return 1 if run(names, given.seed, range(given.first, given.first + given.count)) else 0


sys.exit(main())
