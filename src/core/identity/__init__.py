"""Identity: tenants, their people, how they prove who they are and how long they are believed.

A *person* (`User`) works for one tenant. An *account* is how they log in: a phone, or an address and a password, and a second
factor. A *session* is being logged in on one device; its *refresh tokens* form a line of which only the newest counts, and
each buys an *access token* of a few minutes. A *machine* acts by a service token with scopes. An *origin* is where a request
came from; every fact of this context carries it, and together they are the audit log.

A code of a phone (`OtpStore`)::

    none ──request──▶ waiting ──right guess──▶ taken: none, all is forgiven
                       │    ▲ request: a new code, the old one counts no more
                       │    └───────┐
                       ├─5 minutes──┴▶ over
                       └─third guess──▶ cool-down (1, 5, 15, 30 ... minutes, up to a day) ──▶ none

A session::

    open ──refresh──▶ open, with the next token
     ├──spent token shown──▶ ended (reused)
     ├──log out, revoke, password changed, person left──▶ ended
     ├──7 days unused, or 30 days in all──▶ over
     └──kept in a browser──▶ open, by a cookie that stays the same and no token

A second factor::

    none ──enrol──▶ begun ──confirm (a first code)──▶ asked for ──remove (a last code)──▶ none
                      └──enrol──▶ begun anew

Services: `Identity` (who is asking), `Otp`, `Passwords`, `SecondFactors`, `Sessions`, `Machines`, `Audit`, `Colleagues`,
`Tenants`, `Credentials`.
"""

from core.identity.events import OUTSIDE
from core.identity.model import (
    AboveOneself,
    Account,
    CredentialNotFound,
    KeptCredential,
    LastOwner,
    LoginTaken,
    Origin,
    OtpRules,
    PasswordRules,
    PhoneTaken,
    ScopedActor,
    SecondFactorNeeded,
    SecondFactorState,
    ServiceToken,
    ServiceTokenNotFound,
    Session,
    SessionNotFound,
    SessionRules,
    Tenant,
    TooOften,
    Unauthenticated,
    User,
    UserNotFound,
    WrongCode,
    WrongCredentials,
    WrongSecondFactor,
)
from core.identity.service import (
    OPERATOR,
    Audit,
    Colleagues,
    Credentials,
    Enrolment,
    Identity,
    LogInLimits,
    Machines,
    NewlyMade,
    Otp,
    Passwords,
    Phones,
    SecondFactors,
    Sent,
    Sessions,
    Tenants,
    Tokens,
    Visit,
    token_hash,
)

__all__ = [
    "OPERATOR",
    "OUTSIDE",
    "AboveOneself",
    "Account",
    "Audit",
    "Colleagues",
    "CredentialNotFound",
    "Credentials",
    "Enrolment",
    "Identity",
    "KeptCredential",
    "LastOwner",
    "LogInLimits",
    "LoginTaken",
    "Machines",
    "NewlyMade",
    "Origin",
    "Otp",
    "OtpRules",
    "PasswordRules",
    "Passwords",
    "PhoneTaken",
    "Phones",
    "ScopedActor",
    "SecondFactorNeeded",
    "SecondFactorState",
    "SecondFactors",
    "Sent",
    "ServiceToken",
    "ServiceTokenNotFound",
    "Session",
    "SessionNotFound",
    "SessionRules",
    "Sessions",
    "Tenant",
    "Tenants",
    "Tokens",
    "TooOften",
    "Unauthenticated",
    "User",
    "UserNotFound",
    "Visit",
    "WrongCode",
    "WrongCredentials",
    "WrongSecondFactor",
    "token_hash",
]
