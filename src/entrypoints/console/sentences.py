"""The audit log in sentences: what happened, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from core.kernel.events import Envelope
from entrypoints.console.texts import TEXTS
from entrypoints.languages import Language
from entrypoints.phones import phone_in_words

_KINDS: Final[Mapping[str, tuple[tuple[str, str], tuple[str, str]]]] = {
    "identity.logged_in": (("Entradas", "Log-ins"), ("{who} entró con {method}.", "{who} logged in with {method}.")),
    "identity.refused": (
        ("Intentos rechazados", "Refused tries"),
        ("No se dejó entrar a {subject}: {reason}.", "{subject} was not let in: {reason}."),
    ),
    "identity.registered": (
        ("Altas", "Registrations"),
        ("{who} tiene acceso desde ahora.", "{who} has access from now on."),
    ),
    "identity.code_sent": (
        ("Códigos enviados", "Codes sent"),
        ("Se envió un código a {phone} por {channel}.", "A code was sent to {phone} by {channel}."),
    ),
    "identity.code_withheld": (
        ("Códigos no enviados", "Codes withheld"),
        ("No se envió un código a {phone}: {reason}.", "No code was sent to {phone}: {reason}."),
    ),
    "identity.session_revoked": (
        ("Sesiones cerradas", "Sessions ended"),
        ("Terminó una sesión de {who}: {reason}.", "A session of {who} ended: {reason}."),
    ),
    "identity.refresh_reused": (
        ("Credenciales repetidas", "Reused credentials"),
        (
            "Alguien usó una credencial vieja de {who}; la sesión se cerró por las dudas.",
            "Somebody used an old credential of {who}; the session was ended to be safe.",
        ),
    ),
    "identity.password_set": (
        ("Contraseñas cambiadas", "Passwords changed"),
        ("{who} cambió su contraseña.", "{who} changed their password."),
    ),
    "identity.totp_enrolled": (
        ("Segundo factor empezado", "Second factor begun"),
        ("{who} empezó a activar el segundo factor.", "{who} began to turn on the second factor."),
    ),
    "identity.totp_confirmed": (
        ("Segundo factor activado", "Second factor on"),
        ("{who} activó el segundo factor.", "{who} turned on the second factor."),
    ),
    "identity.totp_removed": (
        ("Segundo factor desactivado", "Second factor off"),
        ("{who} desactivó el segundo factor.", "{who} turned off the second factor."),
    ),
    "identity.recovery_code_used": (
        ("Códigos de recuperación", "Recovery codes"),
        ("{who} usó un código de recuperación; quedan {left}.", "{who} used a recovery code; {left} are left."),
    ),
    "identity.service_token_made": (
        ("Tokens creados", "Tokens created"),
        ("{who} creó un token de servicio: {scopes}.", "{who} created a service token: {scopes}."),
    ),
    "identity.service_token_revoked": (
        ("Tokens revocados", "Tokens revoked"),
        ("{who} revocó un token de servicio.", "{who} revoked a service token."),
    ),
    "identity.enrolled": (
        ("Personas sumadas", "People added"),
        ("{by} sumó a {who}: {role}.", "{by} added {who}: {role}."),
    ),
    "identity.role_changed": (
        ("Cambios de rol", "Changes of role"),
        (
            "{by} cambió el rol de {who}: era {was}, ahora {role}.",
            "{by} changed the role of {who}: was {was}, now {role}.",
        ),
    ),
    "identity.phone_changed": (
        ("Cambios de teléfono", "Changes of phone"),
        ("{by} cambió el teléfono de {who} a {phone}.", "{by} changed the phone of {who} to {phone}."),
    ),
    "identity.deactivated": (
        ("Accesos quitados", "Access removed"),
        ("{by} quitó el acceso de {who}.", "{by} removed the access of {who}."),
    ),
    "identity.reactivated": (
        ("Accesos devueltos", "Access given back"),
        ("{by} devolvió el acceso a {who}.", "{by} gave {who} their access back."),
    ),
    "identity.credential_set": (
        ("Credenciales guardadas", "Credentials stored"),
        ("{by} guardó credenciales: {kind} {label}.", "{by} stored credentials: {kind} {label}."),
    ),
    "identity.credential_removed": (
        ("Credenciales quitadas", "Credentials removed"),
        ("{by} quitó credenciales: {kind} {label}.", "{by} removed credentials: {kind} {label}."),
    ),
}
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "wrong_password": ("la contraseña no era correcta", "the password was wrong"),
    "wrong_code": ("el código no era correcto", "the code was wrong"),
    "no_code": ("no había un código vigente", "there was no code that counts"),
    "used": ("el código ya se había usado", "the code had been used"),
    "second_factor": ("el segundo factor no era correcto", "the second factor was wrong"),
    "inactive": ("ya no tiene acceso", "they have no access any more"),
    "unknown": ("nadie conoce ese teléfono", "nobody knows that phone"),
    "tenant_limit": ("ya se enviaron demasiados", "too many were sent already"),
    "no_channel": ("ni WhatsApp ni el SMS lo aceptaron", "neither WhatsApp nor SMS took it"),
    "logged_out": ("se cerró desde el dispositivo", "logged out on the device"),
    "revoked": ("se cerró desde otro lado", "ended from elsewhere"),
    "reused": ("apareció una credencial vieja", "an old credential turned up"),
    "left": ("la persona ya no tiene acceso", "the person has no access any more"),
    "password_changed": ("cambió la contraseña", "the password was changed"),
    "role_changed": ("tiene otro rol", "they have another role"),
    "phone_changed": ("tiene otro teléfono", "they have another phone"),
    "whatsapp": ("WhatsApp", "WhatsApp"),
    "sms": ("SMS", "SMS"),
    "otp": ("un código al teléfono", "a code on the phone"),
    "password": ("contraseña", "a password"),
    "totp": ("segundo factor", "second factor"),
    "recovery": ("un código de recuperación", "a recovery code"),
    "owner": ("titular", "owner"),
    "admin": ("administración", "admin"),
    "dispatcher": ("despacho", "dispatcher"),
    "technician": ("técnico", "technician"),
    "agent": ("atención", "agent"),
    "planner": ("planificación", "planner"),
}
_CODED: Final = ("reason", "channel", "method", "was", "role")
"""Fields that hold one of those words."""
_ALARMING: Final = frozenset({"identity.refused", "identity.refresh_reused", "identity.code_withheld"})
"""What whoever looks for trouble looks for."""


def kinds(language: Language) -> dict[str, str]:
    """Return the events that can be filtered for, with what they are called."""
    return {event: _of(names, language) for event, (names, _) in _KINDS.items()}


def is_alarming(event: str) -> bool:
    """Say whether the event may mean that somebody tried to get in."""
    return event in _ALARMING


def sentence(envelope: Envelope, *, names: Mapping[str, str], somebody: str, language: Language) -> str:
    """Say what happened; an event without a sentence of its own is shown by its name."""
    said: dict[str, Any] = dict(envelope.payload)
    by = names.get(envelope.actor, somebody)
    who = names.get(str(said.get("user_id")), by if said.get("user_id") is None else somebody)
    known = _KINDS.get(envelope.event_type)
    if known is None:
        return f"{envelope.event_type} · {who}"
    words = {name: word(str(said[name]), language) for name in _CODED if said.get(name)}
    scopes = "; ".join(_of(TEXTS.get(f"scope.{each}", (each, each)), language) for each in said.get("scopes") or ())
    for name in ("phone", "was", "subject"):
        if said.get(name):
            said[name] = phone_in_words(str(said[name]))
    given = {**said, **words, "who": who, "by": by, "scopes": scopes}
    return _of(known[1], language).format_map({name: str(value) for name, value in given.items()})


def word(code: str, language: Language) -> str:
    """Say a reason, a channel, a role or a method (`password+totp`) in words; what has none stays as it is."""
    parts = [_of(_WORDS.get(part, (part, part)), language) for part in code.split("+")]
    return (" y " if language == "es" else " and ").join(parts)


def _of(pair: tuple[str, str], language: Language) -> str:
    return pair[0] if language == "es" else pair[1]
