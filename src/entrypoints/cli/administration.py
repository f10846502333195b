"""What an operator does to a database: begin tenants, keep credentials, turn the encryption keys.

No secret is taken from the command line, where everybody on the machine could read it, and none is shown.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from cyclopts import App as CommandLine
from rich.text import Text

from core.kernel.actor import Actor
from core.kernel.errors import Invalid
from entrypoints.cli.terminal import ERR, OUT, AsJson, fail, run_to_end, running_app

if TYPE_CHECKING:
    from core.identity import Origin
    from entrypoints.wiring import App, Rotation

TENANTS: Final = CommandLine(name="tenants", help="The businesses that work with this installation.")
CREDENTIALS: Final = CommandLine(name="credentials", help="What the services outside know a tenant by, encrypted.")
KEYS: Final = CommandLine(name="keys", help="The encryption keys, and what lies under them.")

PROGRAM: Final = "cuadrilla at the command line"
ZONE: Final = "America/Argentina/Buenos_Aires"
SPEAKS: Final = 2.0
"""Seconds between two lines about how far it is, where there is no terminal."""


@TENANTS.command
def create(
    *,
    name: str,
    owner_name: str,
    owner_phone: str,
    owner_email: str | None = None,
    zone: str = ZONE,
    json_: AsJson = False,
) -> None:
    """Begin a tenant with its owner, who logs in by a code on the phone.

    With an address, the owner's password is read from the terminal, or from standard input where there is none.

    Parameters
    ----------
    name
        What the business is called.
    owner_name
        Who owns it.
    owner_phone
        The owner's phone, as it is written.
    owner_email
        An address with which the owner can log in too.
    zone
        The IANA time zone its people live in.
    """
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        fail(f"there is no time zone {zone!r}")
    password = None if owner_email is None else _secret("Password for the owner: ")

    async def go() -> dict[str, Any]:
        async with running_app() as app:
            tenant, owner = await app.tenants.create(
                name=name,
                owner_name=owner_name,
                owner_phone=owner_phone,
                email=owner_email,
                password=password,
                zone=zone,
                origin=_origin(app),
            )
        return {"tenant": tenant.id, "name": tenant.name, "owner": owner.id, "phone": owner.phone}

    made = run_to_end(go())
    if json_:
        OUT.print_json(json.dumps(made))
    else:
        OUT.print(
            f"{made['name']} is the tenant {made['tenant']}; its owner {made['owner']} logs in by {made['phone']}"
        )


@TENANTS.command(name="list")
def list_tenants(*, json_: AsJson = False) -> None:
    """List the tenants by name."""

    async def go() -> list[dict[str, Any]]:
        async with running_app() as app:
            return [
                {"tenant": each.id, "name": each.name, "phone": each.phone, "zone": each.zone}
                for each in await app.tenants.list()
            ]

    _show(run_to_end(go()), json_=json_)


@CREDENTIALS.command(name="set")
def set_credential(*, tenant: str, kind: str, label: str = "", json_: AsJson = False) -> None:
    """Keep a credential, in place of what was there: a JSON object on standard input.

    Its fields are `phone_number_id`, `waba_id`, `token`, `app_secret` and `verify_token` for `whatsapp`, `certificate` and `key` (PEM)
    for `afip`, `account_sid`, `auth_token` and `sender` for `twilio`.

    Parameters
    ----------
    tenant
        Whose it is.
    kind
        One of whatsapp, afip and twilio.
    label
        What it is to be listed as; nothing secret.
    """
    values = _object_on_standard_input()

    async def go() -> str:
        async with running_app() as app:
            actor = await _operator(app, tenant)
            purpose: str = await app.credentials.set(
                actor=actor, kind=kind, values=values, label=label, origin=_origin(app)
            )
            return purpose

    purpose = run_to_end(go())
    if json_:
        OUT.print_json(json.dumps({"tenant": tenant, "purpose": purpose}))
    else:
        OUT.print(f"kept for {tenant}: {purpose}; running processes use it within 15 s")


@CREDENTIALS.command(name="list")
def list_credentials(*, tenant: str, json_: AsJson = False) -> None:
    """List a tenant's credentials, without what is secret.

    Parameters
    ----------
    tenant
        Whose.
    """

    async def go() -> list[dict[str, Any]]:
        async with running_app() as app:
            actor = await _operator(app, tenant)
            return [
                {
                    "purpose": each.purpose,
                    "kind": each.kind,
                    "label": each.label,
                    "key": each.key_id,
                    "updated": each.updated_at.isoformat(timespec="seconds"),
                }
                for each in await app.credentials.list(actor=actor)
            ]

    _show(run_to_end(go()), json_=json_)


@CREDENTIALS.command(name="remove")
def remove_credential(*, tenant: str, purpose: str) -> None:
    """Forget a credential.

    Parameters
    ----------
    tenant
        Whose.
    purpose
        As it is listed.
    """

    async def go() -> None:
        async with running_app() as app:
            actor = await _operator(app, tenant)
            await app.credentials.remove(actor=actor, purpose=purpose, origin=_origin(app))

    run_to_end(go())
    OUT.print(f"removed from {tenant}: {purpose}")


@KEYS.command
def show(*, json_: AsJson = False) -> None:
    """Show the encryption keys by name, and how many values lie under each: a key with none can go from the setting."""

    async def go() -> list[dict[str, Any]]:
        async with running_app() as app:
            used, names = await app.keys.in_use(), app.keys.names
        roles = {name: "seals" if place == 0 else "unseals" for place, name in enumerate(names)}
        strange = sorted(used.keys() - roles.keys())
        return [
            {"key": name, "values": used.get(name, 0), "does": roles.get(name, "missing from the setting")}
            for name in (*names, *strange)
        ]

    _show(run_to_end(go()), json_=json_)


@KEYS.command
def rotate(*, json_: AsJson = False) -> None:
    """Bring everything that is encrypted under the first of CUADRILLA_ENCRYPTION_KEYS, while the system runs.

    It can be stopped at any time and begun again. Exit status 1 if something could not be read; it is named and stays as it is.
    """

    async def go(told: Callable[[Rotation], None]) -> Rotation | None:
        last = None
        async with running_app() as app:
            async for turned in app.keys.rotate():
                told(turned)
                last = turned
        return last

    with _progress(quiet=json_) as told:
        turned: Rotation | None = run_to_end(go(told))
    seen, changed = (turned.seen, turned.turned) if turned else (0, 0)
    failed = turned.failed if turned else ()
    if json_:
        OUT.print_json(json.dumps({"values": seen, "turned": changed, "failed": list(failed)}))
    else:
        OUT.print(f"{seen} values looked at, {changed} brought under the first key")
    if failed:
        fail(
            "\n".join(
                ["These were left as they are, since they cannot be unsealed:", *(f"  {each}" for each in failed)]
            )
        )


@contextlib.contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[Rotation], None]]:
    """Give what is told how far it is: a bar on a terminal, a line now and then elsewhere."""
    if quiet:
        yield lambda _: None
    elif OUT.is_terminal:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=OUT) as bar:
            task = bar.add_task("turning keys", total=None)
            yield lambda turned: bar.update(task, completed=turned.seen, total=turned.total)
    else:
        said = time.monotonic()

        def line(turned: Rotation) -> None:
            nonlocal said
            if time.monotonic() - said >= SPEAKS:
                said = time.monotonic()
                OUT.print(
                    f"{turned.seen} of {turned.total} values looked at, {turned.turned} brought under the first key"
                )

        yield line


def _show(rows: list[dict[str, Any]], *, json_: bool) -> None:
    if json_:
        OUT.print_json(json.dumps(rows))
    elif not rows:
        OUT.print("there are none")
    else:
        lines = [list(rows[0]), *(["" if value is None else str(value) for value in row.values()] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:  # whole, however narrow the terminal: an id is there to be copied
            OUT.print(Text("  ".join(map(str.ljust, line, widths)).rstrip(), style="dim" if line is lines[0] else ""))


async def _operator(app: App, tenant: str) -> Actor:
    """Return whoever is at the command line, as an actor of the tenant; raise `NotFound` if there is none."""
    from core.identity import OPERATOR

    await app.store.directory.tenant(tenant)
    return Actor(tenant=tenant, id=OPERATOR, role="service", correlation=app.new_id("command"))


def _origin(app: App) -> Origin:
    from core.identity import Origin

    return Origin(app.new_id("command"), agent=PROGRAM)


def _secret(prompt: str) -> str:
    return getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")


def _object_on_standard_input() -> dict[str, object]:
    if sys.stdin.isatty():
        ERR.print("The credential as a JSON object, then Ctrl-D:")
    msg = "standard input must be a JSON object"
    try:
        values = json.load(sys.stdin)
    except ValueError:  # and nothing of it is repeated
        raise Invalid(msg) from None
    if not isinstance(values, dict):
        raise Invalid(msg)
    return values
