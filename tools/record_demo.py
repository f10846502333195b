"""Make the recorded input of the demo anew: `python tools/record_demo.py`.

The webhook bodies have the exact shape and escaping of Meta's. The trace is a simulated phone on a real route in Buenos Aires: a
van in traffic, a fix every 30 seconds with Gaussian noise, some fixes far off with the accuracy to match, a stop of four minutes, and
the last street on foot. The seed is fixed, so the same files come out each time.
"""

from __future__ import annotations

import json
import math
import random
import struct
import zlib
from itertools import pairwise
from pathlib import Path

DEMO = Path(__file__).parent.parent / "demo"
STARTED = 1_795_093_920  # 2026-11-19 13:12:00 UTC, a Thursday morning in Buenos Aires
MESSAGES = (
    (0, "Hola"),
    (2, "necesito"),
    (6, "un técnico para el aire acondicionado en Av. Corrientes 1234 mañana a la mañana"),
)
ROUTE = (  # from a workshop in Liniers along the motorway and through the centre to Av. Corrientes 1234
    (-34.64020, -58.51200),
    (-34.63510, -58.48610),
    (-34.62890, -58.46350),
    (-34.62610, -58.45600),
    (-34.62190, -58.44890),
    (-34.61870, -58.44120),
    (-34.61390, -58.43330),
    (-34.61010, -58.42480),
    (-34.60780, -58.41540),
    (-34.60440, -58.40930),
    (-34.60410, -58.40030),
    (-34.60400, -58.39210),
    (-34.60385, -58.38373),
)
METRES = 111_195.0  # of a degree of latitude


def webhooks() -> None:
    for number, (after, text) in enumerate(MESSAGES, start=1):
        body = {
            "object": "whatsapp_business_account",
            "entry": [
                {
                    "id": "2000000001",
                    "changes": [
                        {
                            "value": {
                                "messaging_product": "whatsapp",
                                "metadata": {"display_phone_number": "541150000000", "phone_number_id": "1000000001"},
                                "contacts": [{"profile": {"name": "Ana Ruiz"}, "wa_id": "5491155550123"}],
                                "messages": [
                                    {
                                        "from": "5491155550123",
                                        "id": f"wamid.HBgNNTQ5MTE1NTU1MDEyMxUCABIYFDNBQ0RFM0{number:02}",
                                        "timestamp": str(STARTED + after),
                                        "text": {"body": text},
                                        "type": "text",
                                    }
                                ],
                            },
                            "field": "messages",
                        }
                    ],
                }
            ],
        }
        raw = json.dumps(body, separators=(",", ":")).replace("/", "\\/")
        (DEMO / "webhooks" / f"{number}.json").write_text(raw)


def trace() -> None:
    chance = random.Random(4291)
    lengths = [_metres(a, b) for a, b in pairwise(ROUTE)]
    whole = sum(lengths)
    fixes = []
    done = 0.0
    for number in range(120):
        left = whole - done
        motorway = done < 4500
        red_light = (not motorway and chance.random() < 0.3) or 50 <= number < 58  # and one long stop at the kerb
        speed = 0.0 if red_light or left <= 0 else chance.uniform(9.0, 14.0) if motorway else chance.uniform(2.5, 8.0)
        if left < 450:  # parked: the rest on foot
            speed = min(1.4, left / 30)
        done = min(whole, done + speed * 30)
        lat, lng = _along(done, lengths)
        far_off = number % 17 == 9
        spread = 90.0 if far_off else 6.0
        fixes.append(
            {
                "there": done >= whole,
                "after": number * 30,
                "lat": round(lat + chance.gauss(0, spread) / METRES, 6),
                "lng": round(lng + chance.gauss(0, spread) / (METRES * math.cos(math.radians(lat))), 6),
                "accuracy": round(chance.uniform(110, 160) if far_off else chance.uniform(4, 14), 1),
                "speed": round(max(0.0, speed + chance.gauss(0, 0.3)), 2) if number % 5 else None,
                "heading": round(chance.uniform(60, 110), 1) if speed > 2 else None,
            }
        )
        if len(fixes) > 4 and fixes[-5]["there"]:
            break
    for each in fixes:
        del each["there"]
    (DEMO / "trace.json").write_text("[\n" + ",\n".join(json.dumps(each) for each in fixes) + "\n]\n")
    print(f"{len(fixes)} fixes over {whole:.0f} m")


def _along(done: float, lengths: list[float]) -> tuple[float, float]:
    for (start, end), length in zip(pairwise(ROUTE), lengths, strict=True):
        if done <= length:
            part = done / length
            return start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part
        done -= length
    return ROUTE[-1]


def _metres(a: tuple[float, float], b: tuple[float, float]) -> float:
    return math.hypot((b[0] - a[0]) * METRES, (b[1] - a[1]) * METRES * math.cos(math.radians(a[0])))


def pictures() -> None:
    def photo(x: int, y: int) -> tuple[int, int, int]:
        grille = y % 14 < 8
        frame = x < 12 or x > 227 or y < 12 or y > 147
        return (214, 217, 220) if frame else (156 + x // 8, 164, 172) if grille else (84, 92, 99)

    def signature(x: int, y: int) -> tuple[int, int, int]:
        on_the_line = abs(y - (60 + 28 * math.sin(x / 17) * math.cos(x / 41))) < 1.6 and 24 < x < 216
        return (27, 31, 36) if on_the_line else (255, 255, 255)

    for name, pixel, height in (("photo.png", photo, 160), ("signature.png", signature, 120)):
        rows = b"".join(b"\0" + bytes(v for x in range(240) for v in pixel(x, y)) for y in range(height))
        chunks = (
            (b"IHDR", struct.pack(">IIBBBBB", 240, height, 8, 2, 0, 0, 0)),
            (b"IDAT", zlib.compress(rows, 9)),
            (b"IEND", b""),
        )
        png = b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in chunks
        )
        (DEMO / name).write_bytes(b"\x89PNG\r\n\x1a\n" + png)


if __name__ == "__main__":
    webhooks()
    trace()
    pictures()
