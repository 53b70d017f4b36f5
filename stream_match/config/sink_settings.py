"""Where events go."""

from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import quote

from pydantic import Field, GetCoreSchemaHandler, SecretStr, field_validator, model_validator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from stream_match.config.secret_files import password_of
from stream_match.config.settings import Settings

TEXT, TABLE = "a text", "a table"
FORMS = frozenset((TEXT, TABLE))
"""The library names them in the places of errors."""


class SinkSettings(Settings):
    """Somewhere to send events, with the user and the password beside it."""

    uri: str = Field(min_length=1, repr=False, description="As on the command line")
    username: str | None = Field(default=None, min_length=1, max_length=500, description="Of the broker")
    password_file: Path | None = Field(
        default=None, strict=False, description="File that holds the password of the broker in one line"
    )
    password: SecretStr | None = Field(default=None, validate_default=True, description="Of the broker")

    _read_the_password = field_validator("password", mode="before")(password_of)

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.password is not None and self.username is None:
            raise PydanticCustomError("username", "a password needs a username")
        if self.username is not None and not self.uri.lower().startswith(("mqtt://", "mqtts://")):
            raise PydanticCustomError("username", "only mqtt:// and mqtts:// take a username")
        if self.username is not None and "@" in self.uri:
            raise PydanticCustomError("username", "the URI has a user already: leave out one of them")
        return self

    def with_credentials(self) -> str:
        """Return the URI with user and password in it, percent-encoded."""
        if self.username is None:
            return self.uri
        scheme, _, rest = self.uri.partition("://")
        secret = "" if self.password is None else f":{quote(self.password.get_secret_value(), safe='')}"
        return f"{scheme}://{quote(self.username, safe='')}{secret}@{rest}"


class _TextOrTable:
    """Lets a sink be written as a text or as a table; both become a URI."""

    model = SinkSettings

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        table = core_schema.no_info_after_validator_function(
            SinkSettings.with_credentials, handler.generate_schema(SinkSettings)
        )
        return core_schema.tagged_union_schema(
            {TEXT: handler(source), TABLE: table},
            discriminator=lambda value: TABLE if isinstance(value, dict | SinkSettings) else TEXT,
        )


Sink = Annotated[str, _TextOrTable]
