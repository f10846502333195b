"""What a tenant's services outside need to know us by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final

from attrs import frozen

from core.kernel.errors import Invalid, NotFound

_LONGEST: Final = 16_384
"""Characters of a value: a certificate's chain is far shorter."""


class CredentialNotFound(NotFound):
    """This tenant has no such credential."""

    code: ClassVar[str] = "credential.not_found"

    def __init__(self, purpose: str) -> None:
        super().__init__(f"there is no credential for {purpose}")


@frozen(kw_only=True)
class CredentialKind:
    """What a service wants. `named_by` is the field that tells a tenant's several accounts of the service apart."""

    name: str
    fields: tuple[str, ...]
    named_by: str | None = None

    def purpose(self, values: Mapping[str, str]) -> str:
        """Return by what the credential is kept."""
        return self.name if self.named_by is None else f"{self.name}:{values[self.named_by]}"

    def check(self, values: Mapping[str, object]) -> dict[str, str]:
        """Return the values, every field of the kind and no other; raise `Invalid`, which shows no value."""
        missing = [name for name in self.fields if not values.get(name)]
        strange = sorted(values.keys() - set(self.fields))
        if missing or strange:
            said = [f"{', '.join(missing)} is missing"] if missing else []
            said += [f"{', '.join(strange)} is none of its fields"] if strange else []
            msg = f"a credential of the kind {self.name}: {'; '.join(said)}"
            raise Invalid(msg, field=(missing or strange)[0])
        sound: dict[str, str] = {}
        for name, value in values.items():
            if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST:
                msg = f"{name} must be a text of up to {_LONGEST} characters"
                raise Invalid(msg, field=name)
            sound[name] = value
        return sound


KINDS: Final[Mapping[str, CredentialKind]] = {
    kind.name: kind
    for kind in (
        CredentialKind(
            name="whatsapp",
            fields=("phone_number_id", "waba_id", "token", "app_secret", "verify_token"),
            named_by="phone_number_id",
        ),
        CredentialKind(name="afip", fields=("certificate", "key")),
        CredentialKind(name="twilio", fields=("account_sid", "auth_token", "sender")),
        CredentialKind(name="expo", fields=("access_token",)),
        CredentialKind(name="fcm", fields=("service_account",)),
        CredentialKind(name="smtp", fields=("username", "password", "sender")),
    )
}


@frozen(kw_only=True)
class KeptCredential:
    """That a credential is kept: everything but the credential. `key_id` names the key that it is sealed under."""

    tenant: str
    purpose: str
    label: str
    key_id: str
    updated_at: datetime

    @property
    def kind(self) -> str:
        """The kind's name."""
        return self.purpose.partition(":")[0]
