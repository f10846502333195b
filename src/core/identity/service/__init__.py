"""What can be asked of identity, by noun."""

from core.identity.service.audit import Audit
from core.identity.service.machines import Machines
from core.identity.service.otp import Otp, Phones, Sent
from core.identity.service.passwords import LogInLimits, Passwords
from core.identity.service.people import Identity, token_hash
from core.identity.service.second_factors import Enrolment, SecondFactors
from core.identity.service.sessions import Sessions, Tokens

__all__ = [
    "Audit",
    "Enrolment",
    "Identity",
    "LogInLimits",
    "Machines",
    "Otp",
    "Passwords",
    "Phones",
    "SecondFactors",
    "Sent",
    "Sessions",
    "Tokens",
    "token_hash",
]
