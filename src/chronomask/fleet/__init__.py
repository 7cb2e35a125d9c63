"""Many videos at once: on the cores of one machine, on a cluster, and many cameras with one engine."""
