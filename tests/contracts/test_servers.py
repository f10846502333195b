"""The servers that the other tests stand on."""

from __future__ import annotations

from pathlib import Path

import pika
import psycopg
import pytest
import redis

from tests import servers


def test_postgresql_gives_each_test_an_empty_database(postgres_url: str) -> None:
    with psycopg.connect(postgres_url.replace("+asyncpg", "")) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert tables == (0,)


def test_redis_gives_each_test_an_empty_database(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        assert client.eval("return 1", 0) == 1


def test_rabbitmq_confirms_what_it_takes(rabbitmq_url: str) -> None:
    with pika.BlockingConnection(pika.URLParameters(rabbitmq_url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("greetings", exclusive=True)
        channel.basic_publish("", "greetings", b"hello")
        method, _, body = channel.basic_get("greetings", auto_ack=True)
    assert (method is not None, body) == (True, b"hello")


def test_a_server_named_in_the_environment_is_taken_as_it_is() -> None:
    server = servers.start("redis", environ={"CUADRILLA_TEST_REDIS_URL": "redis://127.0.0.1:1/0"})
    assert (server.url, server.processes) == ("redis://127.0.0.1:1/0", ())


def test_a_server_that_cannot_be_had_fails_by_name(tmp_path: Path) -> None:
    with pytest.raises(servers.NoServer, match=r"RabbitMQ: run tools/fetch_rabbitmq\.sh"):
        servers.start("rabbitmq", environ={"CUADRILLA_RABBITMQ_ROOT": str(tmp_path)})


def test_a_shared_server_lives_until_the_last_user_leaves(tmp_path: Path) -> None:
    with servers.shared("redis", tmp_path) as first:
        with servers.shared("redis", tmp_path) as second:
            assert second == first
        with redis.Redis.from_url(first.url) as client:
            assert client.ping() is True
    with redis.Redis.from_url(first.url) as client, pytest.raises(redis.ConnectionError):
        client.ping()
