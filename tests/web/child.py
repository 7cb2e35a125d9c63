"""The processes beside the page's server, with a segmenter that sees colours and takes no time."""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from chronomask.config import SegmentConfig
from chronomask.segmenter import load as loading
from chronomask.segmenter import prompting
from chronomask.web import child, seat, tasks
from segmenter.colour import segmenter_of, settings
from tracking.heads import by_membership

loading.load = lambda name, config=SegmentConfig(): segmenter_of(settings(4, 2, score=config.score))  # noqa: B008
prompting.bundled_heads = by_membership
tasks.TASKS["teach"] = partial(tasks.teach, steps=2)
(seat if "seat" in sys.argv else child).main()
