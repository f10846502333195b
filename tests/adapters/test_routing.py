"""Routing engines: OSRM's and Valhalla's own words over real HTTP, and servers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import httpx2
import pytest
from attrs import define, evolve, field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from adapters.routing import Engine, OsrmRoutes, ValhallaRoutes, engine_at
from core.kernel.errors import Unavailable
from core.tracking import Point
from core.tracking.ports import Routes
from entrypoints.serving import free_port, serving
from tests.core.office import CARLOS, MARTA, Office

HERE: Final = Point(-34.6102, -58.4248)
DOOR: Final = Point(-34.603851, -58.383735)
ISLAND: Final = Point(-54.8, -36.5)
KINDS: Final = ("osrm", "valhalla")


@define
class Streets:
    """Both engines' servers, for a world in which one drives 10 m/s in a straight line and never to the island."""

    asked: list[str] = field(factory=list)

    async def osrm(self, request: Request) -> Response:
        """Answer as `GET /route/v1/{profile}/{lng},{lat};{lng},{lat}`."""
        self.asked.append(f"{request.url.path}?{request.url.query}")
        places = [tuple(map(float, each.split(","))) for each in request.path_params["places"].split(";")]
        if any(abs(lat) > 90 for _, lat in places):
            return JSONResponse({"code": "InvalidQuery", "message": "Invalid coordinate value."}, 400)
        if any(lat < -50 for _, lat in places):
            return JSONResponse({"code": "NoRoute", "message": "Impossible route between points"}, 400)
        route = {"distance": 4873.1, "duration": 612.4, "weight": 612.4, "weight_name": "routability", "legs": []}
        snapped = [{"hint": "x", "distance": 3.2, "name": "Corrientes", "location": list(each)} for each in places]
        return JSONResponse({"code": "Ok", "routes": [route], "waypoints": snapped})

    async def valhalla(self, request: Request) -> Response:
        """Answer as `POST /route`."""
        question = await request.json()
        self.asked.append(json.dumps(question))
        if any(each["lat"] < -50 for each in question["locations"]):
            error = {"error_code": 442, "error": "No path could be found for input"}
            return JSONResponse({**error, "status_code": 400, "status": "Bad Request"}, 400)
        summary = {"has_toll": False, "has_ferry": False, "time": 612.4, "length": 4.873, "cost": 700.1}
        trip = {
            "locations": question["locations"],
            "legs": [{"summary": summary, "shape": ""}],
            "summary": summary,
            "status_message": "Found route between points",
            "status": 0,
            "units": "kilometers",
            "language": "en-US",
        }
        return JSONResponse({"trip": trip})


@pytest.fixture
def streets() -> Streets:
    return Streets()


@pytest.fixture
async def url(streets: Streets) -> AsyncIterator[str]:
    """Give the address of both engines."""
    routes = [
        Route("/route/v1/{profile}/{places}", streets.osrm),
        Route("/route", streets.valhalla, methods=["POST"]),
    ]
    async with serving(Starlette(routes=routes)) as address:
        yield address


@contextlib.asynccontextmanager
async def routes_at(kind: str, url: str, **changes: Any) -> AsyncIterator[Routes]:
    client = httpx2.AsyncClient(timeout=None, trust_env=False)
    engine = Engine(url, client=client, **{"patience": 60.0, **changes})
    yield OsrmRoutes(engine) if kind == "osrm" else ValhallaRoutes(engine)
    await engine.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_an_engine_tells_how_long_the_way_takes(kind: str, url: str) -> None:
    async with routes_at(kind, f"{url}/") as routes:
        assert await routes.travel_time(HERE, DOOR) == 612.4


@pytest.mark.parametrize("kind", KINDS)
async def test_where_no_street_leads_there_is_no_time(kind: str, url: str) -> None:
    async with routes_at(kind, url) as routes:
        assert await routes.travel_time(HERE, ISLAND) is None
        assert await routes.travel_time(HERE, DOOR) == 612.4


async def test_osrm_is_asked_for_longitude_before_latitude_and_for_no_drawing(url: str, streets: Streets) -> None:
    async with routes_at("osrm", url) as routes:
        await routes.travel_time(HERE, Point(0.0, 1e-9))
    (asked,) = streets.asked
    path, _, query = asked.partition("?")
    assert path == "/route/v1/driving/-58.424800,-34.610200;0.000000,0.000000"
    assert "overview=false" in query


async def test_valhalla_is_asked_for_a_car_and_no_instructions(url: str, streets: Streets) -> None:
    async with routes_at("valhalla", url) as routes:
        await routes.travel_time(HERE, DOOR)
    places = [{"lat": -34.6102, "lon": -58.4248}, {"lat": -34.603851, "lon": -58.383735}]
    assert [json.loads(each) for each in streets.asked] == [
        {"locations": places, "costing": "auto", "directions_type": "none"}
    ]


@contextlib.asynccontextmanager
async def saying(answer: Callable[[Request], Any]) -> AsyncIterator[str]:
    async def say(request: Request) -> Response:
        said: Response = answer(request)
        return said

    async with serving(Starlette(routes=[Route("/{rest:path}", say, methods=["GET", "POST"])])) as url:
        yield url


def endless(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        while not await request.is_disconnected():
            yield b" " * 65_536
            await asyncio.sleep(0)

    return StreamingResponse(parts(), media_type="application/json")


BAD: Final = [
    pytest.param(lambda _: HTMLResponse("<h1>Bad gateway</h1>", 502), id="a proxy's page"),
    pytest.param(lambda _: JSONResponse({"message": "Too Many Requests"}, 429), id="too many"),
    pytest.param(lambda _: HTMLResponse("<h1>Welcome</h1>"), id="somebody else's page"),
    pytest.param(lambda _: Response(b"", media_type="application/json"), id="nothing"),
    pytest.param(lambda _: JSONResponse(["Ok"]), id="a list"),
    pytest.param(endless, id="no end"),
    pytest.param(lambda _: JSONResponse({"code": "InvalidOptions", "error_code": 100}, 400), id="a refusal"),
    pytest.param(lambda _: JSONResponse({"code": "Ok", "routes": [], "trip": {"status": 0}}), id="no route after all"),
    pytest.param(lambda _: JSONResponse({"code": "Ok", "routes": [3], "trip": 3}), id="no object"),
    pytest.param(lambda _: JSONResponse({"code": "Ok"}), id="half an answer"),
    *[
        pytest.param(
            lambda _, written=written: Response(
                f'{{"code":"Ok","routes":[{{"duration":{written}}}],"trip":{{"status":0,"summary":{{"time":{written}}}}}}}'
            ),
            id=f"a duration of {written}",
        )
        for written in ("-1", '"60"', "null", "true", "NaN", "Infinity", "1e999")
    ],
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("answer", BAD)
async def test_a_bad_answer_is_no_answer(kind: str, answer: Callable[[Request], Any]) -> None:
    async with saying(answer) as url, routes_at(kind, url) as routes:
        with pytest.raises(Unavailable):
            await routes.travel_time(HERE, DOOR)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_engine_that_failed_rests_and_is_asked_again(kind: str) -> None:
    asked = 0

    def fails(_: Request) -> Response:
        nonlocal asked
        asked += 1
        return Response(status_code=503)

    async with saying(fails) as url:
        async with routes_at(kind, url) as routes:
            for _ in range(5):
                with pytest.raises(Unavailable):
                    await routes.travel_time(HERE, DOOR)
            assert asked == 1
        async with routes_at(kind, url, rest=0.0) as routes:
            for _ in range(2):
                with pytest.raises(Unavailable):
                    await routes.travel_time(HERE, DOOR)
            assert asked == 3


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_there_and_silence_are_unavailable(kind: str) -> None:
    async with routes_at(kind, f"http://127.0.0.1:{free_port()}") as routes:
        with pytest.raises(Unavailable, match="does not answer"):
            await routes.travel_time(HERE, DOOR)
        with pytest.raises(Unavailable, match="a moment ago"):
            await routes.travel_time(HERE, DOOR)

    async def silent(request: Request) -> Response:
        while not await request.is_disconnected():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
        return Response()

    silence = Starlette(routes=[Route("/{rest:path}", silent, methods=["GET", "POST"])])
    async with serving(silence) as url, routes_at(kind, url, patience=0.2) as routes:
        with pytest.raises(Unavailable):
            await routes.travel_time(HERE, DOOR)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_trip_s_estimate_goes_by_the_streets(kind: str, url: str, streets: Streets) -> None:
    trip: dict[str, Any] = {
        "job_id": "job_1",
        "technician_id": "user_carlos",
        "customer_id": "cust_1",
        "destination": DOOR,
    }
    office = await Office().move_in()
    async with routes_at(kind, url) as routes:
        tracking = evolve(office.tracking, routes=routes)
        await tracking.open(actor=MARTA, **trip)
        progress = await tracking.update(actor=CARLOS, job_id="job_1", point=HERE)
        assert (await tracking.ask_the_way(limit=1), len(streets.asked)) == (1, 1)
        told = (await tracking.show(actor=MARTA, job_id="job_1")).eta
    assert progress.eta is not None
    assert told is not None
    assert told.seconds == pytest.approx(612.4)
    assert abs(progress.eta.seconds - 612.4) > 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_trip_whose_engine_is_away_goes_by_the_distance(kind: str) -> None:
    trip: dict[str, Any] = {
        "job_id": "job_1",
        "technician_id": "user_carlos",
        "customer_id": "cust_1",
        "destination": DOOR,
    }
    office = await Office().move_in()
    async with routes_at(kind, f"http://127.0.0.1:{free_port()}") as routes:
        tracking = evolve(office.tracking, routes=routes)
        await tracking.open(actor=MARTA, **trip)
        progress = await tracking.update(actor=CARLOS, job_id="job_1", point=HERE)
        assert await tracking.ask_the_way(limit=1) == 0
        assert (await tracking.show(actor=MARTA, job_id="job_1")).eta == progress.eta


async def test_an_engine_is_named_by_its_address() -> None:
    for kind, cls in (("osrm", OsrmRoutes), ("valhalla", ValhallaRoutes)):
        engine = engine_at(f"{kind}+http://127.0.0.1:{free_port()}")
        assert type(engine) is cls
        with pytest.raises(Unavailable):
            await engine.travel_time(HERE, DOOR)
        await engine.close()


@pytest.mark.parametrize(
    "address", ["", "https://routes.example", "osrm+ftp://routes.example", "google+https://routes.example", "osrm+"]
)
def test_an_address_names_its_engine(address: str) -> None:
    with pytest.raises(ValueError, match="begins with osrm"):
        engine_at(address)
