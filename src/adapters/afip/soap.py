"""zeep as we use it: AFIP's descriptions from this package, addresses from the settings, limits always."""

from __future__ import annotations

import asyncio
import io
import re
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from attrs import define
from lxml import etree
from requests.adapters import HTTPAdapter
from zeep import Client, Settings
from zeep.transports import Transport
from zeep.wsdl import Document

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
    # What the environment says of proxies and certificates is read now, not in each call, of whose price it is a sixth.
    settings = session.merge_environment_settings(url, {}, None, None, None)
    session.proxies, session.verify, session.trust_env = settings["proxies"], settings["verify"], False
    session.mount("http://", Limited())
    session.mount("https://", Limited(older_tls=urlsplit(url).hostname in weak_hosts))
    return session


@define
class Spoken:
    """What one call sent and got."""

    request: bytes = b""
    response: bytes = b""


class Recording(Transport):
    """Keeps what each thread's calls send and get."""

    def __init__(self, session: requests.Session, *, operation_timeout: tuple[float, float]) -> None:
        base: Any = super()  # it has no types
        base.__init__(session=session, timeout=CONNECT, operation_timeout=operation_timeout)
        self._of_thread = threading.local()

    def start(self, spoken: Spoken) -> None:
        """Let this thread's next call fill it."""
        self._of_thread.spoken = spoken

    def post(self, address: str, message: bytes, headers: Any) -> requests.Response:
        spoken: Spoken = getattr(self._of_thread, "spoken", None) or Spoken()
        spoken.request = message
        base: Any = super()
        response: requests.Response = base.post(address, message, headers)
        spoken.response = response.content
        return response


_DOCUMENTS: Final[dict[str, Document]] = {}
_READING: Final = threading.Lock()
# Not strict about the description: an element that AFIP appends one day must not make its answers unreadable.
_SETTINGS: Final = Settings(strict=False, forbid_dtd=True, forbid_entities=True, forbid_external=True)


def described(description: str) -> Document:
    """Return one of the package's descriptions; reading it takes some 35 ms, once in a process."""
    with _READING:
        if description not in _DOCUMENTS:
            with resources.as_file(resources.files("adapters.afip") / "wsdl" / description) as path:
                transport: Any = Transport()  # the stub takes its class for it
                _DOCUMENTS[description] = Document(str(path), transport, settings=_SETTINGS)
        return _DOCUMENTS[description]


def read_ahead(*descriptions: str) -> None:
    """Read descriptions now, in a thread, so that no call has to."""
    for each in descriptions:
        _THREADS.submit(described, each)


def service(description: str, *, binding: str, url: str, operation_timeout: float = OPERATION) -> tuple[Any, Recording]:
    """Return the operations of a description at an address, and what records them."""
    session = session_for(url)
    session.hooks["response"].append(well_formed)
    transport = Recording(session, operation_timeout=(CONNECT, operation_timeout))
    client = Client(described(description), settings=_SETTINGS, transport=transport)
    return client.create_service(binding, url), transport


_SECRETS: Final = re.compile(rb"<((?:[A-Za-z0-9_]+:)?(?:Token|Sign))>[^<]*</\1>")


def redacted(document: bytes) -> str:
    """Return a document without the access ticket, fit to be kept."""
    text = _SECRETS.sub(rb"<\1>-</\1>", document[:LARGEST_ANSWER])
    return text.decode("utf-8", "replace").replace("\0", "")


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
