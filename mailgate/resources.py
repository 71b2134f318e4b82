"""Where the files live that are no code: inside the wheel, or in a checkout above the package."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent
_PACKAGED = _HERE / "data"


def resource(name: str) -> Path:
    """The path of a shipped file or folder: templates, rules.yaml, config.example.toml, systemd.

    Raises FileNotFoundError when the installation is incomplete.
    """
    for base in (_PACKAGED, _HERE.parent):
        path = base / name
        if path.exists():
            return path
    raise FileNotFoundError(f"{name} is missing from this installation of mailgate")
