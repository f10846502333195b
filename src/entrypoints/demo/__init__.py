"""The main job played once over HTTP, from recorded input, with every step observed from outside.

The player knows what a customer, a dispatcher and a technician know: addresses, and the phones on which their codes for log-in arrive. It
calls the public API, posts signed webhooks, looks at the simulated phones, and moves a clock forwards that the product and the sandbox
share.
"""

from entrypoints.demo.clock import SkippingClock
from entrypoints.demo.people import NotObserved, Person
from entrypoints.demo.player import Played, Player, Stage
from entrypoints.demo.recording import Fix, NoRecording, Recording, read_recording
from entrypoints.demo.stage import stage_of

__all__ = [
    "Fix",
    "NoRecording",
    "NotObserved",
    "Person",
    "Played",
    "Player",
    "Recording",
    "SkippingClock",
    "Stage",
    "read_recording",
    "stage_of",
]
