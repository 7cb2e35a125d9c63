"""Runs: folders, Ctrl-C, full disks, cameras. The only place that knows of them."""
