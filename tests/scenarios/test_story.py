"""The main job, message to CAE, on each stack that people run; the same story as `make demo`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from entrypoints.demo import Player, Recording, SkippingClock, read_recording, stage_of
from entrypoints.serving import free_port
from entrypoints.settings import Settings, read_settings
from entrypoints.staging import running

RECORDING = Path(__file__).parent.parent.parent / "demo"
STACKS = {
    "embedded": (),
    "postgres-redis-redis": ("DATABASE_URL", "REDIS_URL", "BROKER_URL=redis"),
    "postgres-redis-rabbitmq": ("DATABASE_URL", "REDIS_URL", "BROKER_URL=amqp"),
}


@pytest.fixture(scope="module")
def recording() -> Recording:
    return read_recording(RECORDING)


@pytest.fixture(params=STACKS)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Describe a system over the stack's servers."""
    urls = {
        "DATABASE_URL": "postgres_url",
        "REDIS_URL": "redis_url",
        "BROKER_URL=redis": "redis_url",
        "BROKER_URL=amqp": "rabbitmq_url",
    }
    environ = {f"CUADRILLA_{name.split('=')[0]}": request.getfixturevalue(urls[name]) for name in STACKS[request.param]}
    environ |= {"CUADRILLA_PORT": str(free_port()), "CUADRILLA_SANDBOX_PORT": str(free_port())}
    return read_settings({**environ, "CUADRILLA_ENV": "test", "CUADRILLA_VAR": str(tmp_path)}, directory=tmp_path)


async def test_the_story_plays_to_its_end(settings: Settings, recording: Recording) -> None:
    said: list[str] = []
    clock = SkippingClock(recording.started_at)
    async with running(settings, clock=clock) as system:
        played = await Player(stage_of(system), recording, clock, said.append).play()
    assert [each["kind"] for each in played.timeline if each["kind"].startswith("job.")] == [
        "job.opened",
        "job.scheduled",
        "job.en_camino",
        "job.working",
        "job.photo_added",
        "job.signed",
        "job.completed",
        "job.invoiced",
    ]
    actors = {each["kind"]: each["actor"] for each in played.timeline}
    assert actors["message.received"] == "whatsapp:5491155550123"
    assert (actors["job.scheduled"], actors["job.en_camino"], actors["invoice.issued"]) == (
        "user_marta",
        "user_carlos",
        "user_marta",
    )
    caused = {each["id"] for each in played.timeline}
    assert all(each["causation"] in caused for each in played.timeline if each["causation"])
    assert any(re.search(r"CAE \d{14}", line) for line in said)
