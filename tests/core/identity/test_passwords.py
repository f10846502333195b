"""Log-in by address and password."""

from __future__ import annotations

import asyncio

import bcrypt
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from adapters.crypto import Argon2Passwords
from core.identity import (
    LoginTaken,
    PasswordRules,
    SecondFactorState,
    Tenant,
    TooOften,
    Unauthenticated,
    User,
    UserNotFound,
    WrongCredentials,
)
from core.identity.events import OUTSIDE
from core.identity.model import COMMON, canonical_email
from core.identity.ports import Verdict
from core.kernel.actor import Actor
from core.kernel.errors import CuadrillaError, Invalid
from tests.contracts.samples import MINE
from tests.core.identity.house import HERE, MARTA, House, acting

GOOD = "correct horse 7!"
ANA = "ana@example.com"


async def log_in(house: House, password: str = GOOD, email: str = ANA) -> User:
    return (await house.passwords.log_in(email=email, password=password, origin=HERE)).user


async def test_who_registers_owns_a_new_tenant_and_is_logged_in(house: House) -> None:
    tokens = await house.register()
    assert (tokens.user.name, tokens.user.role) == ("Ana Ruiz", "owner")
    assert (await house.identity.tenant(actor=acting(tokens))).name == "Ruiz Hnos."
    assert (await house.identity.who(token=tokens.access, correlation="c")).id == tokens.user.id
    assert await house.names(tokens.user.tenant) == ["identity.registered", "identity.logged_in"]


async def test_the_right_password_logs_in_however_the_address_is_written(house: House) -> None:
    tokens = await house.register()
    for written in (ANA, "  ANA@Example.COM\n", "\uff41\uff4e\uff41@example.com"):
        assert await log_in(house, email=written) == tokens.user


async def test_a_password_is_the_same_however_its_accents_are_composed(house: House) -> None:
    await house.register(password="con\u0303aque largo")
    assert (await log_in(house, "co\u00f1aque largo")).name == "Ana Ruiz"


@pytest.mark.parametrize("password", ["", "Correct horse 7!", GOOD + " ", " " + GOOD, "x" * 1_000_000, "\ud800" * 10])
async def test_any_other_password_is_refused_in_the_same_words_as_an_unknown_address(
    house: House, password: str
) -> None:
    await house.register()
    said = set()
    for email in (ANA, "nobody@example.com"):
        with pytest.raises(WrongCredentials) as refusal:
            await log_in(house, password, email)
        said.add((type(refusal.value), str(refusal.value), refusal.value.code))
    assert len(said) == 1


async def test_an_address_is_registered_once_whoever_comes_first(house: House) -> None:
    async def register(name: str) -> str:
        try:
            tokens = await house.passwords.register(email=ANA, password=GOOD, name=name, business="", origin=HERE)
        except LoginTaken:
            return "taken"
        return tokens.user.name

    said = await asyncio.gather(*(register(f"Ana {number}") for number in range(5)))
    assert sorted(said)[1:] == ["taken"] * 4
    assert (await log_in(house)).name == min(said)
    for number in range(2, 7):
        with pytest.raises(UserNotFound):
            await house.store.directory.user(f"tenant_{number}", f"user_{number}")


@pytest.mark.parametrize(
    ("email", "password", "name", "field"),
    [
        ("ana", GOOD, "Ana", "email"),
        (ANA, "short12", "Ana", "password"),
        (ANA, "x" * 129, "Ana", "password"),
        (ANA, GOOD, " ", "name"),
        (ANA, GOOD, "x" * 121, "name"),
        (ANA, ANA, "Ana", "password"),
    ],
)
async def test_what_cannot_be_registered_is_refused_by_its_field(
    house: House, email: str, password: str, name: str, field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        await house.passwords.register(email=email, password=password, name=name, business="", origin=HERE)
    assert refusal.value.field == field


async def test_a_password_is_tried_ten_times_in_a_quarter_of_an_hour(house: House) -> None:
    await house.register()
    for _ in range(10):
        with pytest.raises(WrongCredentials):
            await log_in(house, "wrong password")
    with pytest.raises(TooOften):
        await log_in(house)
    house.clock.forward(minutes=16)
    assert (await log_in(house)).name == "Ana Ruiz"


async def test_a_bcrypt_hash_lets_in_once_and_is_argon2_afterwards(house: House) -> None:
    await house.register()
    await store_hash(house, bcrypt.hashpw(GOOD.encode(), bcrypt.gensalt(10)).decode())
    assert (await log_in(house)).name == "Ana Ruiz"
    kept = await stored_hash(house)
    assert kept.startswith("$argon2id$")
    assert (await log_in(house)).name == "Ana Ruiz"
    assert await stored_hash(house) == kept


async def test_a_weak_bcrypt_hash_lets_nobody_in(house: House) -> None:
    await house.register()
    await store_hash(house, bcrypt.hashpw(GOOD.encode(), bcrypt.gensalt(9)).decode())
    with pytest.raises(WrongCredentials):
        await log_in(house)


async def test_a_hash_with_other_numbers_is_made_anew(house: House) -> None:
    await house.register()
    older = await Argon2Passwords(memory=8).hash(GOOD)
    await store_hash(house, older)
    await log_in(house)
    assert "m=16," in await stored_hash(house)


async def test_who_changes_the_password_stays_in_and_everybody_else_is_out(house: House) -> None:
    here, there = await house.register(), await house.passwords.log_in(email=ANA, password=GOOD, origin=HERE)
    await house.passwords.set_password(
        actor=acting(here), old=GOOD, new="another good one", origin=HERE, session_id=here.session_id
    )
    assert (await house.sessions.refresh(token=here.refresh, origin=HERE)).user == here.user
    with pytest.raises(Unauthenticated):
        await house.sessions.refresh(token=there.refresh, origin=HERE)
    with pytest.raises(WrongCredentials):
        await log_in(house)
    assert (await log_in(house, "another good one")).name == "Ana Ruiz"


async def test_nobody_changes_a_password_without_it(house: House) -> None:
    tokens = await house.register()
    for old in (None, "", "wrong password", "x" * 1000):
        with pytest.raises(WrongCredentials):
            await house.passwords.set_password(actor=acting(tokens), old=old, new="another good one", origin=HERE)
    with pytest.raises(Invalid):
        await house.passwords.set_password(actor=acting(tokens), old=GOOD, new="password", origin=HERE)
    with pytest.raises(SecondFactorState):
        await house.passwords.set_password(
            actor=evolve(acting(tokens), id="user_x"), new="another good one", origin=HERE
        )


async def test_a_password_that_changes_while_somebody_logs_in_does_not_let_them_in(house: House) -> None:
    tokens = await house.register()
    login = house.passwords

    class Slow:
        async def hash(self, password: str) -> str:
            return await login._hasher.hash(password)

        async def verify(self, stored: str | None, password: str) -> Verdict:
            verdict = await login._hasher.verify(stored, password)
            await login.set_password(actor=acting(tokens), old=GOOD, new="another good one", origin=HERE)
            return verdict

    with pytest.raises(Unauthenticated):
        await evolve(login, hasher=Slow()).log_in(email=ANA, password=GOOD, origin=HERE)


async def test_a_colleague_is_given_an_address_by_the_operator(house: House) -> None:
    await house.passwords.give_email(user=MARTA, email="marta@example.com", password=GOOD, origin=HERE)
    assert await log_in(house, email="marta@example.com") == MARTA
    with pytest.raises(LoginTaken):
        await house.passwords.give_email(
            user=evolve(MARTA, id="user_olga"), email="marta@example.com", password=GOOD, origin=HERE
        )


async def test_who_has_left_is_not_let_in(house: House) -> None:
    user = (await house.register()).user
    await house.store.directory.enrol(Tenant(id=user.tenant, name="x"), [evolve(user, active=False)])
    with pytest.raises(WrongCredentials):
        await log_in(house)


async def test_refusals_are_in_the_log_without_the_password(house: House) -> None:
    tokens = await house.register()
    for email in (ANA, "nobody@example.com"):
        with pytest.raises(WrongCredentials):
            await log_in(house, "a wrong password", email)
    known, unknown = (await house.facts(tokens.user.tenant))[-1], (await house.facts(OUTSIDE))[-1]
    assert (known.name, getattr(known, "user_id", ""), getattr(known, "ip", "")) == (
        "identity.refused",
        tokens.user.id,
        "203.0.113.7",
    )
    assert getattr(unknown, "subject", "") == "nobody@example.com"
    assert "a wrong password" not in repr((known, unknown))


def test_the_list_of_common_passwords_is_long_and_has_what_everybody_tries() -> None:
    assert len([each for each in COMMON if len(each) >= 8]) > 1000
    wanted = {"password", "12345678", "qwertyuiop", "cuadrilla1", "argentina2026", "iloveyou", "contraseña", "1q2w3e4r"}
    assert wanted <= COMMON


@pytest.mark.parametrize(
    "password",
    [
        *(
            "password",
            "PASSWORD",
            "P@ssw0rd",
            "p4ssw0rd1!",
            "12345678",
            "87654321",
            "qwertyuiop",
            "1q2w3e4r5t",
            "aaaaaaaa",
        ),
        *(
            "Cuadrilla1",
            "cuadrilla2026",
            "contraseña",
            "Argentina123",
            "bocajuniors",
            "abcdefgh",
            "01011990",
            "zaq12wsx",
        ),
        *("ana@example.com", "Ana Ruiz Paz", "anaruizpaz"),
    ],
)
def test_what_is_tried_first_is_refused(password: str) -> None:
    with pytest.raises(Invalid, match="tried first"):
        PasswordRules().accept(password, about=("ana@example.com", "Ana Ruiz Paz"))


@pytest.mark.parametrize(
    "password",
    ["correct horse", "x9#kQ2!z", "só letras minúsculas", "        8", "密码密码密码密码", "🐴" * 8, "7" * 128],
)
def test_what_is_long_enough_and_not_common_is_taken_whatever_its_letters(password: str) -> None:
    assert PasswordRules().accept(password)


@pytest.mark.parametrize("password", ["", "1234567", "x" * 129, "x" * 1_000_000, "\ufdfa" * 20, "\ud800" * 12])
def test_what_is_too_short_or_too_long_or_no_text_is_refused(password: str) -> None:
    with pytest.raises(Invalid):
        PasswordRules().accept(password)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ana@example.com", "ana@example.com"),
        ("  Ana.Ruiz+jobs@Example.COM ", "ana.ruiz+jobs@example.com"),
        ("\uff21\uff2e\uff21@example.com", "ana@example.com"),
        ("\u212aate@example.com", "kate@example.com"),
        ("a@sub.example-one.com.ar", "a@sub.example-one.com.ar"),
    ],
)
def test_an_address_has_one_form(text: str, kept: str) -> None:
    assert canonical_email(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        *("", "ana", "@example.com", "ana@", "ana@example", "a b@example.com", "ana@exa mple.com", "ana@@example.com"),
        *(
            "\u0430na@example.com",
            "ana@ex\u0430mple.com",
            "añ\u03b1@example.com",
            "ana@ex\u200bample.com",
            "ana\x00@example.com",
        ),
        *("ana@example.com\r\nBcc: x@example.com", ".ana@example.com", "a..b@example.com", "ana@-example.com"),
        *("ana@[127.0.0.1]", "<ana@example.com>", "x" * 65 + "@example.com", "a@" + "x." * 130 + "com", "x" * 100_000),
        *("\ud800@example.com", "İ@example.com", "ana@127.0.0.1"),
    ],
)
def test_what_is_no_plain_address_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        canonical_email(text)
    assert refusal.value.field == "email"


@given(st.text(max_size=60) | st.emails())
def test_an_address_that_is_taken_is_its_own_form(text: str) -> None:
    try:
        kept = canonical_email(text)
    except CuadrillaError:
        return
    assert canonical_email(kept) == kept
    assert kept.isascii()


async def stored_hash(house: House) -> str:
    account = await house.store.accounts.by_login(f"email:{ANA}")
    assert account is not None
    assert account.password_hash is not None
    return account.password_hash


async def store_hash(house: House, text: str) -> None:
    account = await house.store.accounts.by_login(f"email:{ANA}")
    assert account is not None
    async with house.store.begin(Actor(tenant=MINE, id="import", role="service", correlation="c")) as tx:
        await tx.accounts.save(account.rehashed(text))
