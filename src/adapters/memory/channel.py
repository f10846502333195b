"""A way to people's phones that only remembers what they would see."""

from __future__ import annotations

from attrs import define, field, frozen

from adapters.memory.pauses import Pause, Steps, at_once
from core.kernel.ports import NewId
from core.notifications import Delivery, Document


@frozen(kw_only=True)
class Visible:
    """A message on somebody's phone: what was sent, what came with it, and the provider's id for it."""

    provider_id: str
    delivery: Delivery
    document: Document | None = None


@define
class MemoryChannel:
    """`core.notifications.ports.Channel`.

    Like most providers it shows a message as often as it is sent; `unique` makes it one that shows a delivery once. A
    pause that raises `AnswerLost` after the effect is the lost answer, one that raises `Unavailable` before it the
    refusal to take anything now.
    """

    _new_id: NewId
    _pause: Pause = at_once
    _unique: bool = field(default=False, kw_only=True)
    visible: list[Visible] = field(factory=list, init=False)

    async def send(self, delivery: Delivery, *, document: Document | None) -> str:
        """Show the message and return the provider's id for it."""

        def show() -> str:
            if self._unique:
                for shown in self.visible:
                    if (shown.delivery.tenant, shown.delivery.id) == (delivery.tenant, delivery.id):
                        return shown.provider_id
            provider_id = self._new_id("wamid")
            self.visible.append(Visible(provider_id=provider_id, delivery=delivery, document=document))
            return provider_id

        return await Steps(self._pause)("channel.send", show)
