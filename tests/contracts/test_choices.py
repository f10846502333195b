"""The promises of `PreferenceRepository` and `DeviceRepository`."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from attrs import evolve

from core.kernel.errors import StaleVersion
from core.notifications import Device, DeviceNotFound, Preferences, QuietHours
from tests.contracts.conftest import Store
from tests.contracts.samples import ACTOR, MINE, NOW, OTHER, a_device, acting_for

WHOLE = Preferences(
    tenant=MINE,
    id="user_1",
    channels=frozenset({"push", "sms"}),
    muted=frozenset({"job_completed"}),
    quiet=True,
    hours=QuietHours(time(21, 30), time(6, 45)),
    zone="America/Argentina/Ushuaia",
    language="en",
    digest=False,
)


async def keep(store: Store, preferences: Preferences) -> Preferences:
    async with store.begin(acting_for(preferences.tenant)) as tx:
        return await tx.preferences.save(preferences)


async def put(store: Store, device: Device) -> Device:
    async with store.begin(acting_for(device.tenant)) as tx:
        return await tx.devices.save(device)


async def test_a_choice_comes_back_whole(store: Store) -> None:
    saved = await keep(store, WHOLE)
    async with store.begin(ACTOR) as tx:
        found = await tx.preferences.get(MINE, "user_1")
        assert found == saved == evolve(WHOLE, version=1)
        assert await tx.preferences.get(MINE, "user_2") is None
        assert await tx.preferences.get(OTHER, "user_1") is None


async def test_the_second_of_two_who_choose_is_told_so(store: Store) -> None:
    saved = await keep(store, WHOLE)
    await keep(store, evolve(saved, language="es"))
    with pytest.raises(StaleVersion):
        await keep(store, evolve(saved, digest=True))
    with pytest.raises(StaleVersion):
        await keep(store, WHOLE)


async def test_a_device_comes_back_whole_by_its_id_and_by_its_token(store: Store) -> None:
    saved = await put(store, a_device())
    async with store.begin(ACTOR) as tx:
        assert await tx.devices.get(MINE, "dev_1") == saved
        assert await tx.devices.by_token(MINE, "ExponentPushToken[dev_1]") == saved
        assert (saved.version, saved.name, saved.user_id) == (1, "Moto G", "user_1")
        assert saved.session_id == "session_of_dev_1"
        assert await tx.devices.by_token(OTHER, "ExponentPushToken[dev_1]") is None
        with pytest.raises(DeviceNotFound):
            await tx.devices.get(OTHER, "dev_1")
        with pytest.raises(DeviceNotFound):
            await tx.devices.get(MINE, "dev_2")


async def test_somebody_s_devices_are_those_that_live_the_one_that_reported_last_first(store: Store) -> None:
    first = await put(store, a_device("dev_1"))
    await put(store, a_device("dev_2", at=NOW + timedelta(minutes=1)))
    await put(store, a_device("dev_3", user_id="user_2"))
    await put(store, a_device("dev_4", tenant=OTHER))
    await put(store, (await put(store, a_device("dev_5"))).retire("DeviceNotRegistered", at=NOW))
    await put(store, first.taken_by("user_1", name="Moto", session_id="session_2", at=NOW + timedelta(hours=1)))
    async with store.begin(ACTOR) as tx:
        assert (await tx.devices.get(MINE, "dev_1")).session_id == "session_2"
        assert [each.id for each in await tx.devices.of(MINE, "user_1")] == ["dev_1", "dev_2"]
        retired = await tx.devices.by_token(MINE, "ExponentPushToken[dev_5]")
        assert retired is not None
        assert retired.retired == "DeviceNotRegistered"


async def test_a_token_belongs_to_one_device_of_a_tenant(store: Store) -> None:
    saved = await put(store, a_device())
    with pytest.raises(StaleVersion):
        await put(store, evolve(a_device("dev_2"), token=saved.token))
    await put(store, evolve(a_device("dev_2", tenant=OTHER), token=saved.token))
