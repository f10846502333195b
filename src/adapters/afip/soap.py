"""zeep as we use it: AFIP's descriptions from this package, addresses from the settings, limits always."""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from lxml import etree
from requests.adapters import HTTPAdapter
from zeep import Client, Settings
from zeep.transports import Transport

CONNECT: Final = 5.0
OPERATION: Final = 20.0
"""Seconds to connect, and to wait for an answer."""
LARGEST_ANSWER: Final = 4 * 1024 * 1024
WEAK_HOSTS: Final = frozenset({"servicios1.afip.gov.ar", "wsaa.afip.gov.ar"})
"""AFIP's production offers a 1024-bit Diffie-Hellman group, which OpenSSL 3 refuses at its default level."""


_THREADS: Final = ThreadPoolExecutor(max_workers=8, thread_name_prefix="afip")
_T = TypeVar("_T")


async def in_thread(call: Callable[..., _T], *args: Any) -> _T:
    """Call in a thread of AFIP's own: one that is slow holds up nobody else's work."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, call, *args)


class AnswerTooLong(requests.RequestException):
    """More came than any answer of AFIP's has."""


class Limited(HTTPAdapter):
    """Reads an answer of bounded length; with `older_tls`, TLS at security level 1, certificates checked as ever."""

    def __init__(self, *, older_tls: bool = False) -> None:
        self._older_tls = older_tls
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> Any:
        if self._older_tls:
            context = ssl.create_default_context()
            context.set_ciphers("DEFAULT@SECLEVEL=1")
            kwargs["ssl_context"] = context
        return super().init_poolmanager(*args, **kwargs)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        response = super().send(request, *args, **kwargs)
        try:
            body = response.raw.read(LARGEST_ANSWER + 1, decode_content=True)
        except urllib3.exceptions.HTTPError as failure:
            response.raw.close()
            raise requests.ConnectionError(failure, request=request) from failure
        if len(body) > LARGEST_ANSWER:
            response.raw.close()
            msg = "the answer is too long"
            raise AnswerTooLong(msg)
        response.raw.release_conn()
        response.raw = io.BytesIO(body)
        return response


def well_formed(answer: requests.Response, *_: Any, **__: Any) -> None:
    """Take whole documents only, whatever zeep would make of half of one."""
    etree.fromstring(answer.content, etree.XMLParser(resolve_entities=False, no_network=True))


def session_for(url: str, *, weak_hosts: frozenset[str] = WEAK_HOSTS) -> requests.Session:
    """Return a session for an address, which may be one of the hosts with weak Diffie-Hellman groups."""
    session = requests.Session()
    session.mount("http://", Limited())
    session.mount("https://", Limited(older_tls=urlsplit(url).hostname in weak_hosts))
    return session


def service(description: str, *, binding: str, url: str, operation_timeout: float = OPERATION) -> Any:
    """Return the operations of a description at an address; loading takes some 35 ms, so keep it."""
    session = session_for(url)
    session.hooks["response"].append(well_formed)
    transport = Transport(session=session, timeout=CONNECT, operation_timeout=(CONNECT, operation_timeout))
    # Not strict about the description: an element that AFIP appends one day must not make its answers unreadable.
    settings = Settings(strict=False, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    with resources.as_file(resources.files("adapters.afip") / "wsdl" / description) as path:
        client = Client(str(path), settings=settings, transport=transport)
    return client.create_service(binding, url)


def never_left(failure: BaseException) -> bool:
    """Whether a call certainly failed before AFIP could have read it: no address, no connection, no trust in the other side."""
    if isinstance(failure, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    reason = getattr(failure.args[0] if failure.args else None, "reason", None)
    if isinstance(reason, urllib3.exceptions.SSLError):
        return isinstance(reason.args[0], ssl.SSLCertVerificationError)
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.NameResolutionError)


def brief(text: object) -> str:
    """Return AFIP's text fit to be kept: printable, and at most 500 characters."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text or "")[:500]).strip()
