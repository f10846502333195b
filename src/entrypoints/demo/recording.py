"""What was recorded: webhook bodies, a GPS trace, pictures."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from attrs import frozen


class NoRecording(Exception):
    """The folder does not hold a recording."""


@frozen(kw_only=True)
class Fix:
    """A phone's position `after` seconds of the trip; metres, m/s, degrees, None where the phone did not say."""

    after: float
    lat: float
    lng: float
    accuracy: float | None
    speed: float | None
    heading: float | None


@frozen(kw_only=True)
class Recording:
    """The input of one job, as it came: `webhooks` are (instant, raw body)."""

    webhooks: tuple[tuple[datetime, bytes], ...]
    trace: tuple[Fix, ...]
    photo: bytes
    signature: bytes

    @property
    def started_at(self) -> datetime:
        return self.webhooks[0][0]


def read_recording(folder: Path) -> Recording:
    """Read the recording; raise `NoRecording`."""
    if not folder.is_dir():
        msg = f"there is no folder {folder} with a recording; start where there is one, as in the project's own folder"
        raise NoRecording(msg)
    try:
        bodies = [file.read_bytes() for file in sorted((folder / "webhooks").glob("*.json"))]
        if len(bodies) < 2:  # noqa: PLR2004 - the story sends the second one twice
            msg = f"{folder / 'webhooks'} has fewer than two bodies"
            raise ValueError(msg)
        return Recording(
            webhooks=tuple((_sent_at(body), body) for body in bodies),
            trace=tuple(Fix(**each) for each in json.loads((folder / "trace.json").read_text())),
            photo=(folder / "photo.png").read_bytes(),
            signature=(folder / "signature.png").read_bytes(),
        )
    except (OSError, ValueError, KeyError, IndexError, TypeError) as broken:
        msg = f"{folder} holds no recording that can be played: {broken}"
        raise NoRecording(msg) from broken


def _sent_at(body: bytes) -> datetime:
    message = json.loads(body)["entry"][0]["changes"][0]["value"]["messages"][0]
    return datetime.fromtimestamp(int(message["timestamp"]), UTC)
