"""Damaged inputs by the thousand: each is refused in a sentence, or what comes of it is sound.

    python -m tests.robustness --count 1000 --kind cvat --seed 7

damages the inputs of a kind so many times, and prints what each failure was and how to have it again.
"""
