"""Redis (and Valkey) for what may be forgotten: open windows of messages, trips under way, log-ins, and counted requests.

Losing all of it costs delay, never data. A server that does not answer is `Unavailable` within a second, and for a second
afterwards at once.
"""

from adapters.redis.buffer import RedisBuffer
from adapters.redis.connection import RedisConnection
from adapters.redis.limits import RedisLimiter
from adapters.redis.log_ins import RedisKnownLogIns
from adapters.redis.otp import RedisOtpStore
from adapters.redis.positions import RedisPositions

__all__ = ["RedisBuffer", "RedisConnection", "RedisKnownLogIns", "RedisLimiter", "RedisOtpStore", "RedisPositions"]
