"""What a network may say of a clip, made by hand or by chance."""

import numpy as np

from chronomask.tracking.outputs import ClipOutputs


def outputs_of(embedding, log_variance, heat, class_logits, foreground=None):
    """ClipOutputs of arrays of any kind of number."""
    arrays = (embedding, log_variance, heat, class_logits, foreground)
    return ClipOutputs(*(None if x is None else np.ascontiguousarray(x, np.float32) for x in arrays))


def random_outputs(seed, rows=13, columns=18, length=4, classes=3):
    """Outputs with blobs in embedding space, over noise; at sizes that no cell of class scores divides."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns][:, None] / 6 + random.normal(0, 0.1, (2, length, rows, columns))
    return outputs_of(
        embedding=np.stack([np.round(y), np.round(x)] + 0.2 * random.normal(size=(2, *y.shape))),
        log_variance=random.normal(-2.5, 0.2, (2, *y.shape)),
        heat=random.random(y.shape),
        class_logits=random.normal(0, 3, (classes, length, -(-rows // 4), -(-columns // 4))),
        foreground=1 / (1 + np.exp(-random.normal(1, 2, y.shape))),
    )
