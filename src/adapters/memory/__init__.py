"""Every port in memory: the embedded default of what may be forgotten, and what tests of an embedding program run on.

Each operation awaits an injected `Pause` before and after its effect. By default that does nothing; a scheduler may
switch to another task there and a fault plan may raise: before the effect (it never happened) or after it (the answer
was lost).
"""

from adapters.memory.buffer import MemoryBuffer
from adapters.memory.channel import MemoryChannel, Visible
from adapters.memory.identity_codes import MemoryCodeChannel, MemoryOtpStore
from adapters.memory.language_model import MemoryLanguageModel
from adapters.memory.limits import MemoryLimiter
from adapters.memory.log_ins import MemoryKnownLogIns
from adapters.memory.media import MemoryMedia
from adapters.memory.pauses import Pause
from adapters.memory.positions import MemoryPositions
from adapters.memory.printer import MemoryPrinter
from adapters.memory.push import MemoryPush
from adapters.memory.store import MemoryStore
from adapters.memory.tax_authority import MemoryTaxAuthority, Voucher

__all__ = [
    "MemoryBuffer",
    "MemoryChannel",
    "MemoryCodeChannel",
    "MemoryKnownLogIns",
    "MemoryLanguageModel",
    "MemoryLimiter",
    "MemoryMedia",
    "MemoryOtpStore",
    "MemoryPositions",
    "MemoryPrinter",
    "MemoryPush",
    "MemoryStore",
    "MemoryTaxAuthority",
    "Pause",
    "Visible",
    "Voucher",
]
