#!/usr/bin/env bash
# Importing OpenVINO reports the import to its maker, and makes a folder in the user's home, without asking.
#
# Seen with openvino 2026.4.1 and openvino-telemetry 2025.2.0, Python 3.11, Linux.
#
# Guess: telemetry belongs to the conversion tools; a program that only imports the package to run a network says nothing.
# Seen: `import openvino` imports the conversion tools, which send an event of the kind "import" (consent is taken as given
# where nobody has refused it before), and `convert_model` sends more: versions and a count for every kind of layer. A
# folder `intel` with an id of the user appears in the home. Where `openvino_telemetry` cannot be imported, OpenVINO
# takes a stand-in of its own and does none of this; everything else works.
#
# Why it matters to users of video masks: people who run a segmenter on confidential footage, in a clinic or on a closed
# network, do not expect it to call anybody. The sender is replaced here, so that this script reports nothing either.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet openvino==2026.4.1 openvino-telemetry==2025.2.0 numpy==2.4.6
mkdir "$place/home"
cat > "$place/look.py" <<'PY'
import sys
from pathlib import Path

if sys.argv[1] == "without":
    sys.modules["openvino_telemetry"] = None
    events = []
else:
    import openvino_telemetry.main as telemetry

    events = []
    # The sender is asked to send; here it only notes what.
    telemetry.TelemetrySender.send = lambda self, backend, message: events.append(message)
import openvino

made = sorted(path.name for path in Path.home().iterdir())
print(f"{sys.argv[1]} telemetry: {len(events)} messages to be sent, in the home: {made}")
model = openvino.Core().get_property("CPU", "FULL_DEVICE_NAME")
sys.exit(0 if bool(events) == (sys.argv[1] == "with") and bool(made) == (sys.argv[1] == "with") else 1)
PY
HOME="$place/home" "$place/venv/bin/python" "$place/look.py" with
rm -rf "$place/home" && mkdir "$place/home"
HOME="$place/home" "$place/venv/bin/python" "$place/look.py" without
echo "as described"
