"""What crosses the API about logins, second factors, roles and tokens that only read.

Bytes of passkeys are base64url without padding, as browsers' own JSON has them.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

RoleName = Literal["observer", "remediation_authority", "administrator", "auditor"]
WayName = Literal["totp", "webauthn", "recovery"]
Secret = Annotated[str, Field(min_length=1, max_length=200)]
Bytes = Annotated[str, Field(max_length=8192, description="base64url")]
Label = Annotated[str, Field(min_length=1, max_length=60)]


class Login(BaseModel):
    """Name and password."""

    name: str = Field(min_length=1, max_length=200)
    password: str = Field(min_length=1, max_length=1000)


class LoginWays(BaseModel):
    """How people log in besides name and password."""

    provider: str = Field(description="what to call the identity provider; empty: there is none")
    command_line: tuple[Literal["browser", "paste"], ...] = Field(
        description="how its people's command lines get their codes; empty: not at all"
    )
    command_line_at: str = Field(description="where browsers begin for a command line")


class CommandLineCode(BaseModel):
    """What a command line shows for its session: the code, and the secret it was given for."""

    code: Secret = Field(description="counts once, for 60 seconds")
    verifier: str = Field(
        min_length=43, max_length=128, description="its SHA-256 is the challenge of the address"
    )


class LoginAnswer(BaseModel):
    """A pair of tokens; browsers get both as cookies as well."""

    token: str = Field(description="opens requests until expires_at")
    expires_at: datetime
    refresh_token: str = Field(description="gives the next pair, once")
    refresh_until: datetime
    ends_at: datetime = Field(description="when the login is over, whatever happens")


class SecondStep(BaseModel):
    """The password was right; now a second factor."""

    ticket: str
    expires_at: datetime
    ways: list[WayName]
    challenge: Bytes
    party: str = Field(description="relying party of passkeys; empty: none can answer here")
    credentials: list[Bytes]


class Passkey(BaseModel):
    """What a passkey answers."""

    credential: Bytes
    client_data: Bytes
    authenticator_data: Bytes
    signature: Bytes


class ToSign(BaseModel):
    """What a person signs so that hosts take their yes; it approves exactly one order."""

    needed: bool = Field(description="hosts take no yes without it")
    payload: str = Field(max_length=65536, description="base64: the approval, canonical JSON")
    challenge: Bytes = Field(description="what a passkey answers: a digest of the payload")
    party: str
    credentials: list[Bytes] = Field(description="one's own passkeys that the root names")


class SignedYes(BaseModel):
    """A payload of `ToSign` with one of: a passkey's answer, an SSH or a key file's signature."""

    payload: str = Field(max_length=65536, description="base64")
    passkey: Passkey | None = None
    ssh: str = Field(
        default="",
        max_length=8192,
        description="what `ssh-keygen -Y sign -n sentienguard.approval` made of the payload",
    )
    keyid: str = Field(default="", max_length=16)
    sig: str = Field(default="", max_length=100, description="base64, Ed25519 over DSSE")


class SecondAnswer(BaseModel):
    """A code, a recovery code or a passkey's answer: one of them."""

    ticket: Secret
    code: str | None = Field(default=None, max_length=20)
    recovery: str | None = Field(default=None, max_length=100)
    passkey: Passkey | None = None


class Refresh(BaseModel):
    """The refresh token; browsers send it as a cookie instead."""

    refresh_token: str = Field(default="", max_length=200)


class FactorView(BaseModel):
    """A second factor of one's own."""

    id: str
    way: Literal["totp", "webauthn"]
    label: str
    made_at: datetime
    approver_key: str = Field(
        description="of a passkey: the line that holders of the root keys add, so that hosts take "
        "approvals by it"
    )


class LoginView(BaseModel):
    """A login that stands."""

    id: str
    opened_at: datetime
    ends_at: datetime
    address: str
    strong_at: datetime | None = Field(description="when a second factor was last shown in it")
    this: bool = Field(description="the one that asks")


class AccountView(BaseModel):
    """What belongs to one's own login."""

    name: str
    factors: list[FactorView]
    recovery_codes_left: int
    logins: list[LoginView]
    passkeys_at: str = Field(
        description="address under which browsers can use passkeys; empty: people_origin is unset"
    )
    second_factor: Literal["optional", "required"]


class Proof(BaseModel):
    """One's password, before a first second factor is registered."""

    password: str = Field(default="", max_length=1000)


class TotpBegun(BaseModel):
    """A new secret for an app; it counts once a code of it was shown."""

    ticket: str
    secret: str = Field(description="base32, for typing")
    address: str = Field(description="otpauth address, for a picture")


class TotpConfirm(BaseModel):
    """A code of the new secret."""

    ticket: Secret
    code: str = Field(max_length=20)
    label: Label


class PasskeyBegun(BaseModel):
    """What a browser needs to make a passkey."""

    ticket: str
    challenge: Bytes
    party: str
    user: Bytes
    algorithms: list[int] = Field(description="COSE")
    exclude: list[Bytes] = Field(description="passkeys that this person has")


class PasskeyConfirm(BaseModel):
    """What a browser made."""

    ticket: Secret
    client_data: Bytes
    attestation: Bytes
    label: Label


class FactorAdded(BaseModel):
    """A new second factor; with the first come recovery codes, shown this once."""

    factor: FactorView
    recovery_codes: list[str]


class RecoveryCodes(BaseModel):
    """New recovery codes, shown this once."""

    codes: list[str]


class Ended(BaseModel):
    """How many logins were ended."""

    ended: int


class RoleView(BaseModel):
    """A role and what it may do where somebody has it."""

    role: RoleName
    meaning: str
    permissions: list[str]
    most_days: int | None = Field(description="how long somebody can have it; null: no limit")


class RoleList(BaseModel):
    """All roles; deny by default means that nobody may do anything else."""

    items: list[RoleView]
    permissions: list[str]


class ReadTokenRequest(BaseModel):
    """A token for a machine that only reads, such as Grafana."""

    name: str = Field(min_length=1, max_length=60)
    environment: str = Field(min_length=1, max_length=64)
    days: int = Field(default=90, ge=1, le=366)


class ReadTokenView(BaseModel):
    """A token without its secret."""

    id: str
    name: str
    environment: str
    made_by: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class ReadTokenAnswer(ReadTokenView):
    """A new token, shown once."""

    token: str


class ReadTokenList(BaseModel):
    """Tokens that only read, oldest first; never their secrets."""

    items: list[ReadTokenView]


class FindingView(BaseModel):
    """Something odd about an approval or a login, or a key that is due; it forbade nothing."""

    index: int = Field(description="leaf index in the audit log")
    at: datetime
    user: str
    finding: Literal[
        "quick_answer", "burst", "same_pair", "off_hours", "new_network", "break_glass",
        "key_soon", "key_due",
    ]  # fmt: skip
    detail: str
    address: str
    incident: str = Field(description="empty: of a login")


class FindingList(BaseModel):
    """Findings among the newest 5,000 entries of the log, newest first, at most 100."""

    items: list[FindingView]
