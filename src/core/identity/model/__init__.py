"""Tenants and people, how they prove who they are, and what lets them stay."""

from core.identity.model.account import RECOVERY_CODES, Account, LoginTaken, SecondFactorState
from core.identity.model.credential import KINDS, CredentialKind, CredentialNotFound, KeptCredential
from core.identity.model.email import canonical_email
from core.identity.model.machine import PREFIX, SCOPES, ScopedActor, ServiceToken, ServiceTokenNotFound
from core.identity.model.origin import Origin
from core.identity.model.otp import Attempt, Guesses, OtpRules, TooOften
from core.identity.model.password import COMMON, PasswordRules
from core.identity.model.people import (
    FOR_PEOPLE,
    LONGEST_NAME,
    RANK,
    ROLES,
    AboveOneself,
    LastOwner,
    PhoneTaken,
    SecondFactorNeeded,
    Tenant,
    Unauthenticated,
    User,
    UserNotFound,
    WrongCode,
    WrongCredentials,
    WrongSecondFactor,
)
from core.identity.model.session import Claims, RefreshToken, Session, SessionNotFound, SessionRules, digest

__all__ = [
    "COMMON",
    "FOR_PEOPLE",
    "KINDS",
    "LONGEST_NAME",
    "PREFIX",
    "RANK",
    "RECOVERY_CODES",
    "ROLES",
    "SCOPES",
    "AboveOneself",
    "Account",
    "Attempt",
    "Claims",
    "CredentialKind",
    "CredentialNotFound",
    "Guesses",
    "KeptCredential",
    "LastOwner",
    "LoginTaken",
    "Origin",
    "OtpRules",
    "PasswordRules",
    "PhoneTaken",
    "RefreshToken",
    "ScopedActor",
    "SecondFactorNeeded",
    "SecondFactorState",
    "ServiceToken",
    "ServiceTokenNotFound",
    "Session",
    "SessionNotFound",
    "SessionRules",
    "Tenant",
    "TooOften",
    "Unauthenticated",
    "User",
    "UserNotFound",
    "WrongCode",
    "WrongCredentials",
    "WrongSecondFactor",
    "canonical_email",
    "digest",
]
