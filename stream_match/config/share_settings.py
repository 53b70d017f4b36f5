"""With which other listeners sources are shared."""

from pathlib import Path
from typing import Any, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from stream_match.config.secret_files import password_of
from stream_match.config.settings import Settings
from stream_match.events import Name


class ShareSettings(Settings):
    """A fleet: listeners of the same sources, each of which is heard by one of them at a time."""

    servers: tuple[str, ...] = Field(
        default=(),
        strict=False,
        repr=False,
        description="NATS servers with JetStream, as nats://HOST:PORT or tls://HOST:PORT; one text with "
        "commas, too. Nothing is shared if absent",
        json_schema_extra={"type": ["string", "array"]},
    )
    fleet: Name = Field(
        default="stream_match", description="Name of the fleet: of the bucket in which its leases stand"
    )
    username: str | None = Field(default=None, min_length=1, max_length=500, description="Of the servers")
    password_file: Path | None = Field(
        default=None, strict=False, description="File that holds the password, or the token, in one line"
    )
    password: SecretStr | None = Field(
        default=None, validate_default=True, description="Of the servers; without a username, it is the token"
    )
    cafile: Path | None = Field(
        default=None, strict=False, description="Authorities to trust, in PEM, instead of the system's"
    )
    certfile: Path | None = Field(
        default=None, strict=False, description="Our own certificate, in PEM, for servers that ask for one"
    )
    keyfile: Path | None = Field(
        default=None, strict=False, description="Its key, in PEM; it may stand in the certificate's file"
    )
    max_sources: int | None = Field(
        default=None,
        ge=1,
        description="Sources that this listener takes at most; as its CPU allows if absent",
    )
    lease_seconds: float = Field(
        default=12.0,
        ge=6,
        le=300,
        description="After so long without a sign of a listener, others take its sources",
    )

    @field_validator("servers", mode="before")
    @classmethod
    def _in_one_text(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    _read_the_password = field_validator("password", mode="before")(password_of)

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.username is not None and self.password is None:
            raise PydanticCustomError("password", "a username needs a password")
        if self.keyfile is not None and self.certfile is None:
            raise PydanticCustomError("certfile", "a keyfile needs its certfile")
        return self
