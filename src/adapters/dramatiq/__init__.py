"""Dramatiq over Redis or RabbitMQ: how facts travel from the outbox to the workers.

Messages carry ids only, and a broker may lose every one of them: the outbox sends again what is not settled when its lease ends. So
there are no retries, no results and no delays here.
"""

from adapters.dramatiq.broker import broker_for
from adapters.dramatiq.consuming import consuming
from adapters.dramatiq.queue import DramatiqQueue

__all__ = ["DramatiqQueue", "broker_for", "consuming"]
