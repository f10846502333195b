"""How the Graph API says no: an HTTP status, a code that decides, and words for people."""

from __future__ import annotations

import secrets
from typing import Any, Final

from starlette.responses import JSONResponse

MEANINGS: Final[dict[int, tuple[int, str]]] = {
    1: (500, "An unknown error occurred"),
    2: (503, "Service temporarily unavailable"),
    3: (403, "Application does not have the capability to make this API call"),
    4: (429, "Application request limit reached"),
    10: (403, "Application does not have permission for this action"),
    33: (400, "Parameter value is not valid"),
    100: (400, "Invalid parameter"),
    190: (401, "Error validating access token"),
    368: (403, "Temporarily blocked for policies violations"),
    80007: (400, "Rate limit issues"),
    130429: (429, "Rate limit hit"),
    130472: (400, "User's number is part of an experiment"),
    130497: (403, "Business account is restricted from messaging users in this country"),
    131000: (500, "Something went wrong"),
    131008: (400, "Required parameter is missing"),
    131009: (400, "Parameter value is not valid"),
    131016: (500, "Service unavailable"),
    131026: (400, "Message undeliverable"),
    131030: (400, "Recipient phone number not in allowed list"),
    131031: (403, "Business Account locked"),
    131047: (400, "Re-engagement message"),
    131048: (400, "Spam rate limit hit"),
    131049: (400, "This message was not delivered to maintain healthy ecosystem engagement."),
    131050: (400, "User has stopped marketing messages from this business"),
    131051: (400, "Message type is currently not supported"),
    131052: (400, "Media download error"),
    131053: (400, "Media upload error"),
    131056: (400, "(Business Account, Consumer Account) pair rate limit hit"),
    131057: (500, "Account in maintenance mode"),
    131062: (400, "Business-scoped user id recipients are not supported for this message"),
    132000: (400, "Number of parameters does not match the expected number of params"),
    132001: (404, "Template name does not exist in the translation"),
    132005: (400, "Translated text too long"),
    132007: (400, "Template format character policy violated"),
    132012: (400, "Parameter format does not match format in the created template"),
    132015: (400, "Template is paused"),
    132016: (400, "Template is disabled"),
}
"""Each code's usual HTTP status and title."""
_DEAD_TOKEN: Final = 190
"""The one refusal that Meta writes without its number and without details."""


class Refused(Exception):
    """The API will not do it; `response` is what the client reads."""

    def __init__(
        self,
        code: int,
        details: str,
        *,
        status: int | None = None,
        subcode: int | None = None,
        title: str | None = None,
    ) -> None:
        usual, meaning = MEANINGS.get(code, (400, "Message failed to send"))
        self.code, self.details, self.subcode = code, details, subcode
        self.status = status or usual
        self.title = title or meaning
        super().__init__(f"{code}: {details}")

    @property
    def response(self) -> JSONResponse:
        """The answer in Meta's form."""
        error: dict[str, Any] = {
            "message": self.title if self.code == _DEAD_TOKEN else f"(#{self.code}) {self.title}",
            "type": "OAuthException",
            "code": self.code,
        }
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        if self.code != _DEAD_TOKEN:
            error["error_data"] = {"messaging_product": "whatsapp", "details": self.details}
        return JSONResponse({"error": {**error, "fbtrace_id": secrets.token_urlsafe(16)}}, self.status)


def bad_token() -> Refused:
    """Return the refusal of a missing or unknown access token."""
    return Refused(_DEAD_TOKEN, "", subcode=463, title="Error validating access token: Session has expired")


def unknown_object(object_id: str) -> Refused:
    """Return the refusal of an id that this token cannot see."""
    words = f"Object with ID '{object_id}' does not exist, cannot be loaded due to missing permissions"
    return Refused(100, words, subcode=33, title=f"Unsupported request. {words}")
