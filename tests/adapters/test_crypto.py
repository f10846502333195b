"""Sealing, link tokens and identifiers."""

from __future__ import annotations

import base64
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.crypto import Unsealable, Vault, link_token, new_bearer, new_id
from core.kernel.errors import CuadrillaError, Invalid

OLD = "old:" + base64.b64encode(bytes(range(32))).decode()
NEW = "new:" + base64.b64encode(bytes(range(32, 64))).decode()
ABOUT = b"tenant_1/whatsapp"


def test_what_is_sealed_is_unsealed_at_its_place() -> None:
    vault = Vault.from_setting(OLD)
    sealed = vault.seal(b"EAAG-token", ABOUT)
    assert vault.unseal(sealed, ABOUT) == b"EAAG-token"


def test_the_plaintext_is_nowhere_in_what_is_sealed() -> None:
    assert b"EAAG-token" not in Vault.from_setting(OLD).seal(b"EAAG-token", ABOUT)


def test_sealed_bytes_name_their_key_and_take_a_nonce_and_a_tag() -> None:
    assert Vault.from_setting(NEW).seal(b"", ABOUT).startswith(b"new:")
    assert len(Vault.from_setting(NEW).seal(b"12345", ABOUT)) == len(b"new:") + 12 + 5 + 16


def test_the_same_secret_is_never_sealed_to_the_same_bytes() -> None:
    vault = Vault.from_setting(OLD)
    assert len({vault.seal(b"same", ABOUT) for _ in range(100)}) == 100


def test_the_first_key_seals_and_every_key_unseals() -> None:
    before = Vault.from_setting(OLD).seal(b"secret", ABOUT)
    turned = Vault.from_setting(f"{NEW}, {OLD}")
    assert turned.unseal(before, ABOUT) == b"secret"
    assert turned.seal(b"secret", ABOUT).startswith(b"new:")


def test_a_key_that_is_gone_is_named_as_the_reason() -> None:
    sealed = Vault.from_setting(OLD).seal(b"secret", ABOUT)
    with pytest.raises(Unsealable, match="a key that is not in CUADRILLA_ENCRYPTION_KEYS"):
        Vault.from_setting(NEW).unseal(sealed, ABOUT)


def test_another_key_of_the_same_name_unseals_nothing() -> None:
    sealed = Vault.from_setting(OLD).seal(b"secret", ABOUT)
    imposter = Vault.from_setting(NEW.replace("new:", "old:"))
    with pytest.raises(Unsealable, match="were changed or belong elsewhere"):
        imposter.unseal(sealed, ABOUT)


def test_what_was_moved_to_another_tenant_stays_sealed() -> None:
    vault = Vault.from_setting(OLD)
    sealed = vault.seal(b"secret", b"tenant_1/whatsapp")
    with pytest.raises(Unsealable):
        vault.unseal(sealed, b"tenant_2/whatsapp")


def test_one_changed_byte_anywhere_is_noticed() -> None:
    vault = Vault.from_setting(OLD)
    sealed = vault.seal(b"secret", ABOUT)
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(Unsealable):
            vault.unseal(bytes(changed), ABOUT)


@given(st.binary(max_size=80), st.sampled_from([b"", b"old:", b"old", b"old:\x00"]))
def test_bytes_that_nobody_sealed_give_a_clean_error(noise: bytes, head: bytes) -> None:
    with pytest.raises(Unsealable):
        Vault.from_setting(OLD).unseal(head + noise, ABOUT)


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_any_bytes_come_back_as_they_were(plaintext: bytes, about: bytes) -> None:
    vault = Vault.from_setting(OLD)
    assert vault.unseal(vault.seal(plaintext, about), about) == plaintext


def test_unsealable_is_an_error_that_the_edge_can_translate() -> None:
    assert issubclass(Unsealable, CuadrillaError)
    assert Unsealable.code == "unsealable"


def test_a_vault_shows_the_names_of_its_keys_at_most() -> None:
    shown = repr(Vault.from_setting(OLD)) + str(Vault.from_setting(OLD))
    assert OLD.partition(":")[2] not in shown
    assert "AESGCM" not in shown


@pytest.mark.parametrize(
    "setting",
    [
        "",
        " , ",
        "old",
        "old:",
        ":" + OLD.partition(":")[2],
        "old:not base64!",
        "old:" + base64.b64encode(bytes(16)).decode(),
        "old:" + base64.b64encode(bytes(33)).decode(),
        f"{OLD},{NEW.replace('new:', 'old:')}",
    ],
)
def test_a_setting_that_is_wrong_is_refused_without_showing_it(setting: str) -> None:
    with pytest.raises(Invalid) as refused:
        Vault.from_setting(setting)
    assert refused.value.field == "CUADRILLA_ENCRYPTION_KEYS"
    assert "=" not in str(refused.value)


def test_a_link_token_is_derived_from_the_secret_and_the_session() -> None:
    token_for = link_token(b"a secret of the installation")
    # base64url(HMAC-SHA256("a secret of the installation", "track:session_1")[:16]), computed apart with openssl
    assert token_for("session_1") == "dNaMY7BMlmPUlSUFBgbSWg"


def test_a_link_token_has_128_bits_that_a_url_can_carry() -> None:
    token = link_token(b"secret")("session_1")
    assert len(token) == 22
    assert len(base64.urlsafe_b64decode(token + "==")) == 16


def test_link_tokens_differ_by_session_and_by_secret() -> None:
    tokens = {link_token(secret)(session) for secret in (b"one", b"two") for session in ("session_1", "session_2")}
    assert len(tokens) == 4


def test_an_id_is_its_kind_and_a_random_uuid() -> None:
    kind, _, random = new_id("job").partition("_")
    assert kind == "job"
    assert uuid.UUID(random).version == 4
    assert str(uuid.UUID(random)) == random


def test_bearers_have_256_bits_and_never_repeat() -> None:
    bearers = {new_bearer() for _ in range(1000)}
    assert len(bearers) == 1000
    assert {len(base64.urlsafe_b64decode(bearer + "=")) for bearer in bearers} == {32}
