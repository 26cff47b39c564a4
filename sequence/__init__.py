"""The first N Fibonacci numbers as text, from a segmented store."""

import tomllib
from pathlib import Path

_project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
__version__: str = _project["project"]["version"]
