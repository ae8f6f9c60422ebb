"""``python -m stacked`` is the command line."""

import os
import subprocess
import sys
from pathlib import Path

import stacked


def test_python_m_stacked_is_the_command_line(tmp_path):
    root = str(Path(stacked.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "stacked", "--version"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and stacked.__version__ in done.stdout
