"""The second factor."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest
from attrs import evolve

from adapters.crypto import keyed_digest
from core.identity import SecondFactorNeeded, SecondFactorState, Tokens, TooOften, Unauthenticated, WrongSecondFactor
from tests.core.identity.house import HERE, PHONE, House, acting

GOOD = "correct horse 7!"
ANA = "ana@example.com"


async def enrolled(house: House, tokens: Tokens) -> tuple[str, tuple[str, ...]]:
    enrolment = await house.factors.enrol(actor=acting(tokens), origin=HERE)
    codes = await house.factors.confirm(actor=acting(tokens), code=house.app_code(enrolment.secret), origin=HERE)
    house.clock.forward(minutes=6)
    return enrolment.secret, codes


async def log_in(house: House, totp: str | None) -> Tokens:
    return await house.passwords.log_in(email=ANA, password=GOOD, totp=totp, origin=HERE)


async def test_enrolling_shows_the_secret_and_what_the_app_reads(house: House) -> None:
    enrolment = await house.factors.enrol(actor=acting(await house.register()), origin=HERE)
    parts = urlsplit(enrolment.uri)
    assert (parts.scheme, parts.netloc, parts.path) == ("otpauth", "totp", "/Cuadrilla:ana%40example.com")
    assert parse_qs(parts.query) == {"secret": [enrolment.secret], "issuer": ["Cuadrilla"]}
    assert enrolment.secret not in repr(enrolment)


async def test_nothing_is_asked_for_before_it_is_confirmed(house: House) -> None:
    tokens = await house.register()
    await house.factors.enrol(actor=acting(tokens), origin=HERE)
    assert (await log_in(house, None)).user == tokens.user


async def test_once_confirmed_it_is_asked_for_with_a_password_and_with_a_code(house: House) -> None:
    secret, _ = await enrolled(house, await house.register())
    with pytest.raises(SecondFactorNeeded):
        await log_in(house, None)
    assert (await log_in(house, house.app_code(secret))).user.name == "Ana Ruiz"
    marta = await house.log_in()
    secret, _ = await enrolled(house, marta)
    with pytest.raises(SecondFactorNeeded):
        await house.log_in()
    again = await house.otp.verify(phone=PHONE, code=house.code, totp=house.app_code(secret), origin=HERE)
    assert again.user == marta.user
    session = await house.store.log_ins.get(marta.user.tenant, again.session_id)
    assert session is not None
    assert session.method == "otp+totp"


async def test_a_wrong_password_is_not_told_that_there_is_a_second_factor(house: House) -> None:
    await enrolled(house, await house.register())
    with pytest.raises(Unauthenticated) as refusal:
        await house.passwords.log_in(email=ANA, password="wrong password", origin=HERE)
    assert refusal.value.code == "wrong_credentials"


async def test_a_code_of_the_app_counts_once_and_so_does_every_older_one(house: House) -> None:
    secret, _ = await enrolled(house, await house.register())
    now, older = house.app_code(secret), house.app_code(secret, later=-1)
    await log_in(house, now)
    for code in (now, older):
        with pytest.raises(WrongSecondFactor):
            await log_in(house, code)
    house.clock.forward(seconds=30)
    await log_in(house, house.app_code(secret))


async def test_the_code_that_confirmed_does_not_log_in(house: House) -> None:
    tokens = await house.register()
    enrolment = await house.factors.enrol(actor=acting(tokens), origin=HERE)
    code = house.app_code(enrolment.secret)
    await house.factors.confirm(actor=acting(tokens), code=code, origin=HERE)
    with pytest.raises(WrongSecondFactor):
        await log_in(house, code)


async def test_of_many_who_use_one_code_at_once_one_gets_in(house: House) -> None:
    secret, recovery = await enrolled(house, await house.register())
    for code in (house.app_code(secret), recovery[0]):
        house.clock.forward(minutes=6)
        shown = house.app_code(secret) if code.isdigit() else code

        async def attempt(shown: str = shown) -> bool:
            try:
                await log_in(house, shown)
            except Unauthenticated:
                return False
            return True

        assert (await asyncio.gather(*(attempt() for _ in range(4)))).count(True) == 1


@pytest.mark.parametrize("later", [-1, 0, 1])
async def test_a_clock_may_differ_by_one_step(house: House, later: int) -> None:
    secret, _ = await enrolled(house, await house.register())
    assert (await log_in(house, house.app_code(secret, later=later))).user.name == "Ana Ruiz"


@pytest.mark.parametrize("later", [-2, 2])
async def test_and_not_by_two(house: House, later: int) -> None:
    secret, _ = await enrolled(house, await house.register())
    with pytest.raises(WrongSecondFactor):
        await log_in(house, house.app_code(secret, later=later))


@pytest.mark.parametrize(
    "code",
    ["000000", "12345", "abcdef", "\uff11\uff12\uff13\uff14\uff15\uff16", "\ud800", "x" * 100_000, "aaaa-bbbb-cccc"],
)
async def test_what_is_no_code_does_not_let_in(house: House, code: str) -> None:
    await enrolled(house, await house.register())
    with pytest.raises(WrongSecondFactor):
        await log_in(house, code)


async def test_each_recovery_code_lets_in_once_however_it_is_typed(house: House) -> None:
    tokens = await house.register()
    _, codes = await enrolled(house, tokens)
    assert len(set(codes)) == 10
    await log_in(house, codes[0])
    with pytest.raises(WrongSecondFactor):
        await log_in(house, codes[0])
    await log_in(house, codes[1].upper().replace("-", " "))
    account = await house.store.accounts.get(tokens.user.tenant, tokens.user.id)
    assert account is not None
    assert len(account.recovery) == 8
    assert not set(codes) & set(account.recovery)
    used = [fact for fact in await house.facts(tokens.user.tenant) if fact.name == "identity.recovery_code_used"]
    assert [getattr(fact, "left", None) for fact in used] == [9, 8]


async def test_codes_are_tried_five_times_in_five_minutes(house: House) -> None:
    secret, _ = await enrolled(house, await house.register())
    for _ in range(5):
        with pytest.raises(WrongSecondFactor):
            await log_in(house, "000000")
    with pytest.raises(TooOften):
        await log_in(house, house.app_code(secret))


async def test_a_phone_s_code_is_not_spent_while_the_second_factor_is_missing(house: House) -> None:
    marta = await house.log_in()
    secret, _ = await enrolled(house, marta)
    house.clock.forward(minutes=31)
    await house.request(phone=PHONE, origin=HERE)
    for _ in range(2):
        with pytest.raises(SecondFactorNeeded):
            await house.otp.verify(phone=PHONE, code=house.code, origin=HERE)
    tokens = await house.otp.verify(phone=PHONE, code=house.code, totp=house.app_code(secret), origin=HERE)
    assert tokens.user == marta.user


async def test_it_is_removed_with_a_last_code(house: House) -> None:
    tokens = await house.register()
    secret, _ = await enrolled(house, tokens)
    with pytest.raises(WrongSecondFactor):
        await house.factors.remove(actor=acting(tokens), code="000000", origin=HERE)
    await house.factors.remove(actor=acting(tokens), code=house.app_code(secret), origin=HERE)
    assert (await log_in(house, None)).user == tokens.user
    with pytest.raises(SecondFactorState):
        await house.factors.remove(actor=acting(tokens), code="000000", origin=HERE)


async def test_what_is_not_begun_is_not_confirmed_and_what_is_confirmed_is_not_begun_anew(house: House) -> None:
    tokens = await house.register()
    with pytest.raises(SecondFactorState):
        await house.factors.confirm(actor=acting(tokens), code="000000", origin=HERE)
    await enrolled(house, tokens)
    with pytest.raises(SecondFactorState):
        await house.factors.enrol(actor=acting(tokens), origin=HERE)
    with pytest.raises(SecondFactorState):
        await house.factors.confirm(actor=acting(tokens), code="000000", origin=HERE)
    with pytest.raises(SecondFactorState):
        await house.factors.enrol(actor=evolve(acting(tokens), id="user_x"), origin=HERE)


async def test_a_wrong_code_confirms_nothing(house: House) -> None:
    tokens = await house.register()
    await house.factors.enrol(actor=acting(tokens), origin=HERE)
    with pytest.raises(WrongSecondFactor):
        await house.factors.confirm(actor=acting(tokens), code="000000", origin=HERE)
    assert (await log_in(house, None)).user == tokens.user


async def test_recovery_codes_outlive_the_key_that_they_were_kept_under_as_long_as_it_is_listed(house: House) -> None:
    tokens = await house.register()
    _, codes = await enrolled(house, tokens)
    fresh, before = keyed_digest(b"another key" * 3), house.factors._digest
    turned = evolve(house.factors, digest=fresh, older=(before,))
    account = await house.store.accounts.get(tokens.user.tenant, tokens.user.id)
    assert account is not None
    spent, means = turned.spend(account, codes[0], origin=HERE)
    assert (means, len(spent.recovery)) == ("+recovery", len(codes) - 1)
    with pytest.raises(WrongSecondFactor):
        turned.spend(spent, codes[0], origin=HERE)
    with pytest.raises(WrongSecondFactor):
        evolve(house.factors, digest=fresh).spend(account, codes[1], origin=HERE)
    await house.factors.remove(actor=acting(tokens), code=codes[2], origin=HERE)
    secret = (await turned.enrol(actor=acting(tokens), origin=HERE)).secret
    renewed = await turned.confirm(actor=acting(tokens), code=house.app_code(secret), origin=HERE)
    kept = await house.store.accounts.get(tokens.user.tenant, tokens.user.id)
    assert kept is not None
    evolve(house.factors, digest=fresh).spend(kept, renewed[0], origin=HERE)
