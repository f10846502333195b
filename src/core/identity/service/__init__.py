"""What can be asked of identity, by noun."""

from core.identity.service.audit import Audit
from core.identity.service.colleagues import Colleagues
from core.identity.service.credentials import Credentials
from core.identity.service.machines import Machines
from core.identity.service.otp import NewlyMade, Otp, Phones, Sent
from core.identity.service.passwords import LogInLimits, Passwords
from core.identity.service.people import Identity, token_hash
from core.identity.service.second_factors import Enrolment, SecondFactors
from core.identity.service.sessions import Sessions, Tokens, Visit
from core.identity.service.tenants import OPERATOR, Tenants

__all__ = [
    "OPERATOR",
    "Audit",
    "Colleagues",
    "Credentials",
    "Enrolment",
    "Identity",
    "LogInLimits",
    "Machines",
    "NewlyMade",
    "Otp",
    "Passwords",
    "Phones",
    "SecondFactors",
    "Sent",
    "Sessions",
    "Tenants",
    "Tokens",
    "Visit",
    "token_hash",
]
