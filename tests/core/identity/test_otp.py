"""Log-in by one-time code."""

from __future__ import annotations

import asyncio

import pytest
from attrs import evolve

from core.identity import OtpRules, Tenant, TooOften, UserNotFound, WrongCode
from core.identity.events import OUTSIDE
from core.identity.ports import CodeDoubtful, CodeRefused
from core.kernel.errors import CuadrillaError, Invalid, Unavailable
from core.kernel.ports import RateRule
from tests.contracts.samples import MINE
from tests.core.identity.house import HERE, MARTA, PHONE, House, acting
from tests.core.office import Weather

STRANGER = "+5491155559999"


async def ask(house: House, phone: str = PHONE) -> str:
    house.clock.forward(minutes=31)
    await house.request(phone=phone, origin=HERE)
    return house.code


async def wrong(house: House, times: int) -> None:
    for _ in range(times):
        with pytest.raises(WrongCode):
            await house.otp.verify(phone=PHONE, code=house.wrong_code, origin=HERE)


async def test_whoever_has_the_code_is_logged_in_as_the_person_of_that_phone(house: House) -> None:
    tokens = await house.log_in()
    assert (tokens.user, tokens.expires_in) == (MARTA, 900)
    actor = await house.identity.who(token=tokens.access, correlation="corr_9")
    assert (actor.tenant, actor.id, actor.role, actor.correlation) == (MINE, "user_marta", "dispatcher", "corr_9")
    assert await house.names() == ["identity.code_sent", "identity.registered", "identity.logged_in"]


async def test_a_code_has_six_digits_and_goes_to_the_phone_in_its_one_form(house: House) -> None:
    await house.request(phone="011 15-5555-0001", origin=HERE)
    message = house.whatsapp.sent[0]
    assert (message.tenant, message.phone, len(message.code), message.code.isdigit()) == (MINE, PHONE, 6, True)
    assert house.sms.sent == []


async def test_a_code_works_once(house: House) -> None:
    code = await ask(house)
    await house.otp.verify(phone=PHONE, code=code, origin=HERE)
    with pytest.raises(WrongCode):
        await house.otp.verify(phone=PHONE, code=code, origin=HERE)


async def test_a_new_code_cancels_the_old_one(house: House) -> None:
    old = await ask(house)
    house.clock.forward(minutes=2)
    while True:
        await house.request(phone=PHONE, origin=HERE)
        if house.code != old:
            break
        house.clock.forward(minutes=2)
    with pytest.raises(WrongCode):
        await house.otp.verify(phone=PHONE, code=old, origin=HERE)
    assert (await house.otp.verify(phone=PHONE, code=house.code, origin=HERE)).user == MARTA


async def test_a_code_lives_for_five_minutes(house: House) -> None:
    code = await ask(house)
    house.clock.forward(minutes=5)
    with pytest.raises(WrongCode):
        await house.otp.verify(phone=PHONE, code=code, origin=HERE)
    code = await ask(house)
    house.clock.forward(minutes=4, seconds=59)
    assert (await house.otp.verify(phone=PHONE, code=code, origin=HERE)).user == MARTA


async def test_after_three_wrong_codes_the_right_one_does_not_count_any_more(house: House) -> None:
    code = await ask(house)
    await wrong(house, 3)
    with pytest.raises(TooOften) as refusal:
        await house.otp.verify(phone=PHONE, code=code, origin=HERE)
    assert refusal.value.retry_after == 60
    house.clock.forward(minutes=1)
    with pytest.raises(WrongCode):
        await house.otp.verify(phone=PHONE, code=code, origin=HERE)


async def test_the_third_try_may_be_the_right_one_and_then_all_is_forgiven(house: House) -> None:
    code = await ask(house)
    await wrong(house, 2)
    await house.otp.verify(phone=PHONE, code=code, origin=HERE)
    await house.log_in()


async def test_each_cool_down_is_longer_than_the_one_before_up_to_a_day(house: House) -> None:
    expected = [1, 5, 15, 30, 60, 120, 240, 480, 960, 1440, 1440]
    waits = []
    for _ in expected:
        await ask(house)
        await wrong(house, 3)
        with pytest.raises(TooOften) as refusal:
            await house.otp.verify(phone=PHONE, code="000000", origin=HERE)
        waits.append(round(refusal.value.retry_after / 60))
        house.clock.forward(minutes=waits[-1])
    assert waits == expected


async def test_within_a_cool_down_no_code_is_sent(house: House) -> None:
    await ask(house)
    await wrong(house, 3)
    house.clock.forward(seconds=59)
    with pytest.raises(TooOften):
        await house.request(phone=PHONE, origin=HERE)
    assert len(house.whatsapp.sent) == 1
    house.clock.forward(seconds=32)
    await house.request(phone=PHONE, origin=HERE)
    assert len(house.whatsapp.sent) == 2


async def test_a_day_without_guesses_forgives(house: House) -> None:
    await ask(house)
    await wrong(house, 3)
    house.clock.forward(days=1, minutes=1)
    await ask(house)
    await wrong(house, 3)
    with pytest.raises(TooOften) as refusal:
        await house.otp.verify(phone=PHONE, code="000000", origin=HERE)
    assert refusal.value.retry_after == 60


async def test_of_many_guesses_at_once_three_are_compared_and_one_gets_in(house: House) -> None:
    code = await ask(house)
    guesses = [house.wrong_code, code] * 500

    async def guess(text: str) -> str:
        try:
            await house.otp.verify(phone=PHONE, code=text, origin=HERE)
        except CuadrillaError as refusal:
            return type(refusal).__name__
        return "in"

    said = await asyncio.gather(*(guess(text) for text in guesses))
    assert said.count("in") == 1
    assert sum(each in {"in", "WrongCode"} for each in said) + said.count("TooOften") == 1000
    compared = [fact for fact in await house.facts(OUTSIDE) if getattr(fact, "reason", "") in {"wrong_code", "used"}]
    assert len(compared) + 1 <= 3


@pytest.mark.parametrize(
    "code",
    ["", "12345", "1234567", "abcdef", "\uff11\uff12\uff13\uff14\uff15\uff16", "\ud800", "0" * 100_000, "-12345"],
)
async def test_what_is_no_code_is_a_wrong_code(house: House, code: str) -> None:
    await ask(house)
    with pytest.raises(WrongCode):
        await house.otp.verify(phone=PHONE, code=code, origin=HERE)


async def test_a_phone_that_nobody_knows_is_answered_like_any_other(house: House) -> None:
    for phone in (PHONE, STRANGER):
        sent = await house.request(phone=phone, origin=HERE)
        assert sent is not None
        refusals = []
        for code in (house.wrong_code, "x", house.wrong_code, house.code):
            with pytest.raises(CuadrillaError) as refusal:
                await house.otp.verify(phone=phone, code=code, origin=HERE)
            refusals.append((type(refusal.value).__name__, str(refusal.value)))
        assert [name for name, _ in refusals] == ["WrongCode", "WrongCode", "WrongCode", "TooOften"]
    assert [message.phone for message in house.whatsapp.sent] == [PHONE, STRANGER]


async def test_a_stranger_founds_a_tenant_and_comes_back_to_it(house: House) -> None:
    first = await house.log_in(STRANGER)
    again = await house.log_in(STRANGER)
    assert first.user == again.user
    assert (first.user.role, first.user.phone, first.user.tenant != MINE) == ("owner", STRANGER, True)
    assert (await house.identity.tenant(actor=acting(first))).id == first.user.tenant


async def test_strangers_may_be_kept_out_in_the_same_words(house: House) -> None:
    closed = await House(OtpRules(newcomers=False)).move_in()
    with pytest.raises(WrongCode):
        await closed.log_in(STRANGER)
    with pytest.raises(UserNotFound):
        await closed.store.directory.user("tenant_1", "user_1")
    assert (await closed.log_in()).user == MARTA


async def test_who_has_left_is_not_let_in(house: House) -> None:
    await house.log_in()
    await house.store.directory.enrol(await house.store.directory.tenant(MINE), [evolve(MARTA, active=False)])
    with pytest.raises(WrongCode):
        await house.log_in()


async def test_a_phone_that_two_tenants_know_is_logged_in_where_it_wants(house: House) -> None:
    await house.store.directory.enrol(Tenant(id="tenant_z", name="Z"), [evolve(MARTA, tenant="tenant_z")])
    code = await ask(house)
    tokens = await house.otp.verify(phone=PHONE, code=code, origin=HERE, tenant="tenant_z")
    assert tokens.user.tenant == "tenant_z"


async def test_codes_are_sent_to_one_phone_so_often_and_no_oftener(house: House) -> None:
    times = 0
    with pytest.raises(TooOften) as refusal:
        while True:
            await house.request(phone=PHONE, origin=HERE)
            times += 1
            house.clock.forward(seconds=35)
    assert times == 5
    assert refusal.value.retry_after > 3000


async def test_a_second_code_within_half_a_minute_is_refused(house: House) -> None:
    await house.request(phone=PHONE, origin=HERE)
    house.clock.forward(seconds=29)
    with pytest.raises(TooOften):
        await house.request(phone=PHONE, origin=HERE)
    assert len(house.whatsapp.sent) == 1


async def test_one_address_asks_for_so_many_phones_and_no_more(house: House) -> None:
    for number in range(20):
        await house.request(phone=f"+54911555520{number:02}", origin=HERE)
    with pytest.raises(TooOften):
        await house.request(phone="+5491155553000", origin=HERE)


async def test_beyond_the_tenant_s_share_nothing_is_sent_and_nobody_is_told() -> None:
    rules = OtpRules(per_tenant=(RateRule(name="t", limit=1, seconds=3600),))
    house = await House(rules).move_in()
    assert await house.request(phone=PHONE, origin=HERE) is not None
    assert await house.request(phone="+5491155550009", origin=HERE) is None
    assert len(house.whatsapp.sent) == 1
    assert await house.names() == ["identity.code_sent", "identity.code_withheld"]


@pytest.mark.parametrize("refusal", [CodeRefused("not on WhatsApp"), Unavailable("down")])
async def test_what_whatsapp_does_not_take_goes_by_sms(house: House, refusal: Exception) -> None:
    house.whatsapp.refuses = refusal
    sent = await house.request(phone=PHONE, origin=HERE)
    assert sent is not None
    assert (sent.channel, [message.phone for message in house.sms.sent]) == ("sms", [PHONE])
    tokens = await house.otp.verify(phone=PHONE, code=house.sms.sent[0].code, origin=HERE)
    assert tokens.user == MARTA
    assert await house.otp.fall_back(sent=sent, origin=HERE) is None


async def test_when_no_channel_takes_it_the_answer_is_the_same(house: House) -> None:
    house.whatsapp.refuses = house.sms.refuses = Unavailable("down")
    assert await house.request(phone=PHONE, origin=HERE) is None
    assert await house.names() == ["identity.code_withheld"]


async def test_what_whatsapp_does_not_deliver_in_time_goes_by_sms_as_a_new_code(house: House) -> None:
    sent = await house.request(phone=PHONE, origin=HERE)
    assert sent is not None
    instead = await house.otp.fall_back(sent=sent, origin=HERE)
    assert instead is not None
    assert instead.channel == "sms"
    assert (await house.otp.verify(phone=PHONE, code=house.sms.sent[0].code, origin=HERE)).user == MARTA


async def test_a_message_of_which_nobody_knows_goes_by_sms_when_its_time_is_over(house: House) -> None:
    house.whatsapp.refuses = CodeDoubtful("no answer")
    sent = await house.request(phone=PHONE, origin=HERE)
    assert sent is not None
    assert (sent.channel, house.sms.sent) == ("whatsapp", [])
    assert await house.otp.fall_back(sent=sent, origin=HERE) is not None
    assert len(house.sms.sent) == 1


@pytest.mark.parametrize("end", ["arrived", "used", "over", "replaced", "guessed"])
async def test_nothing_goes_by_sms_when_it_is_not_needed_any_more(house: House, end: str) -> None:
    sent = await house.request(phone=PHONE, origin=HERE)
    assert sent is not None
    if end == "arrived":
        house.whatsapp.arrived.add(sent.reference)
    elif end == "used":
        await house.otp.verify(phone=PHONE, code=house.code, origin=HERE)
    elif end == "over":
        house.clock.forward(minutes=5)
    elif end == "guessed":
        await wrong(house, 3)
    else:
        house.clock.forward(minutes=1)
        old = house.code
        await house.request(phone=PHONE, origin=HERE)
        assert house.code != old
    assert await house.otp.fall_back(sent=sent, origin=HERE) is None
    assert house.sms.sent == []


async def test_a_lost_store_of_codes_logs_nobody_in(house: House) -> None:
    code = await ask(house)
    house.codes.forget()
    with pytest.raises(WrongCode):
        await house.otp.verify(phone=PHONE, code=code, origin=HERE)


async def test_no_fact_and_no_stored_text_holds_a_code(house: House) -> None:
    code = await ask(house)
    with pytest.raises(WrongCode):
        await house.otp.verify(phone=PHONE, code=house.wrong_code, origin=HERE)
    said = repr(await house.facts()) + repr(await house.facts(OUTSIDE)) + repr(house.codes) + repr(house.whatsapp.sent)
    digits = said.replace(PHONE, "")
    assert f"'{code}'" not in digits


async def test_what_is_no_phone_is_refused_before_anything_is_counted(house: House) -> None:
    with pytest.raises(Invalid) as refusal:
        await house.request(phone="nobody", origin=HERE)
    assert refusal.value.field == "phone"
    assert await house.facts(OUTSIDE) == []


async def test_a_crash_after_the_code_was_taken_leaves_nobody_logged_in() -> None:
    weather = Weather()
    weather.plan("commit:before", None, Unavailable("killed"))  # the note that a code was sent, and then the log-in
    house = await House(pause=weather).move_in()
    with pytest.raises(Unavailable):
        await house.log_in()
    assert await house.store.log_ins.of(MINE, "user_marta") == []
    with pytest.raises(WrongCode):
        await house.otp.verify(phone=PHONE, code=house.code, origin=HERE)
    assert (await house.log_in()).user == MARTA
