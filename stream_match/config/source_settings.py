"""What is listened to."""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from stream_match.config.index_place import IndexPlace
from stream_match.config.match_settings import MatchSettings, OnsetSettings
from stream_match.config.secret_files import password_of
from stream_match.config.settings import Settings
from stream_match.events import Name


def _printable(text: str) -> str:
    """Refuse what would break out of a header of HTTP."""
    if not text.isascii() or not text.isprintable():
        raise PydanticCustomError("header", "only printable ASCII may stand in it")
    return text


def _header_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", name) or name.lower() in OWN_HEADERS:
        raise PydanticCustomError("header", "it is no header that may be set")
    return name


def _header_value(value: SecretStr) -> SecretStr:
    _printable(value.get_secret_value())
    return value


def _charset(name: str) -> str:
    try:
        b"a".decode(name)
    except (LookupError, ValueError):
        raise PydanticCustomError(
            "charset", "it is no charset; expected one such as cp1251, Shift_JIS or ISO-8859-2"
        ) from None
    return name


OWN_HEADERS = frozenset(
    ("connection", "content-length", "host", "icy-metadata", "range", "te", "transfer-encoding", "upgrade")
)
"""Headers that are the client's own."""

HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[SecretStr, AfterValidator(_header_value)]


class SourceSettings(Settings):
    """Something to listen to."""

    uri: str = Field(
        min_length=1, repr=False, description="As on the command line; ``name=URI`` is understood here too"
    )
    name: Name | None = Field(default=None, description="Name in topics; derived from the URI if absent")
    title: str | None = Field(default=None, max_length=200, description="What a person calls it")
    channel: int | None = Field(
        default=None, ge=1, le=64, description="The channel to take, from 1; the mean of all if absent"
    )
    username: str | None = Field(default=None, max_length=500, description="For the server of the URL only")
    password_file: Path | None = Field(
        default=None, strict=False, description="File that holds the password in one line"
    )
    password: SecretStr | None = Field(
        default=None, validate_default=True, description="For the server of the URL only"
    )
    headers: dict[HeaderName, HeaderValue] | None = Field(
        default=None, description="Further headers of HTTP, for the server of the URL only"
    )
    user_agent: Annotated[str, AfterValidator(_printable)] | None = Field(
        default=None, min_length=1, max_length=300, description="What servers are told that we are"
    )
    charset: Annotated[str, AfterValidator(_charset)] | None = Field(
        default=None, description="Of titles that are not UTF-8; a guess if absent"
    )
    clips: bool = Field(
        default=True, description="Whether its audio may be kept, in clips and in the rolling buffer"
    )

    index: IndexPlace | None = Field(
        default=None,
        description="Folder of the index of this source, in place of the common one",
    )
    match: MatchSettings = Field(
        default=MatchSettings(),
        description="What differs here from the common table",
        json_schema_extra={"default": {}},
    )
    onsets: OnsetSettings = Field(
        default=OnsetSettings(),
        description="What differs here from the common table",
        json_schema_extra={"default": {}},
    )

    _read_the_password = field_validator("password", mode="before")(password_of)

    @model_validator(mode="after")
    def _password_has_its_user(self) -> Self:
        if self.password is not None and self.username is None:
            raise PydanticCustomError("username", "a password needs a username")
        return self

    def is_opened_as(self, other: Self) -> bool:
        """Return whether both are the same audio under the same name, however it is listened to."""
        return self.model_dump(exclude=HEARD) == other.model_dump(exclude=HEARD)


HEARD = {"index", "match", "onsets"}
"""Settings of a source that do not say how it is opened, but what it is listened to for."""
