#!/usr/bin/env bash
# OpenCV 5 takes boolean masks, and inverts them to masks that are true everywhere.
#
# Seen with OpenCV 5.0.0 and 4.13.0 (headless wheels), numpy 2.4.6, Python 3.11, Linux.
#
# Guess: OpenCV 5 has a type for NumPy's booleans, so cv2.bitwise_not(mask) of a boolean mask is ~mask, or else it is
# refused, as OpenCV 4 refuses every boolean array.
# Seen: it gives a boolean array whose bytes are 255 and 254. None of them is 0, so for NumPy all pixels are true: the sum
# is the size of the frame, `image[inverse]` is the whole image, and inverting a second time gives nothing at all. And, or,
# xor, flip and a resize to the nearest pixel are right, so that it looks as if masks worked.
#
# Why it matters to users of video masks: "all but the object" is how backgrounds are blurred, blackened and replaced. The
# object goes with them, and code that was written for 0 and 255 need not change for that: a boolean mask
# that used to be an error now runs through. Write ~mask, or make the mask uint8 first.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet opencv-python-headless==5.0.0.93 numpy==2.4.6
"$place/venv/bin/pip" install --quiet --no-deps --target "$place/old" opencv-python-headless==4.13.0.92
cat > "$place/look.py" <<'PY'
import cv2
import numpy as np

mask = np.zeros((20, 30), bool)
mask[5:12, 4:15] = True
try:
    inverse = cv2.bitwise_not(mask)
except cv2.error:
    print("refused")
else:
    twice = cv2.bitwise_not(cv2.bitwise_not(mask.view(np.uint8)).view(bool))
    flipped = (cv2.flip(mask, 1) == mask[:, ::-1]).all() and not cv2.bitwise_xor(mask, mask).any()
    print(inverse.dtype, *np.unique(inverse.view(np.uint8)), f"{inverse.sum()} of {mask.size} pixels are true,", end=" ")
    print(f"{(~mask).sum()} should be; of those of the mask {inverse[mask].sum()} are;", end=" ")
    print("flip and xor are right" if flipped else "flip or xor is wrong")
PY
new=$("$place/venv/bin/python" "$place/look.py")
old=$(PYTHONPATH="$place/old" "$place/venv/bin/python" "$place/look.py")
echo "OpenCV 5: $new"
echo "OpenCV 4.13: $old"
[ "$new" = "bool 254 255 600 of 600 pixels are true, 523 should be; of those of the mask 77 are; flip and xor are right" ]
[ "$old" = refused ]
echo "as described"
