"""What a worker tells of its fleet, retained, over MQTT."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from stream_match.events import Name, Payload


class SharedSource(Payload):
    """A source that a listener has."""

    source: Name = Field(description="Name of the source in topics")
    since: datetime = Field(description="When the listener took it, by its clock")


class FleetStatus(Payload):
    """A listener of a fleet, and what it has."""

    schema_: Literal["stream_match.fleet/1"] = Field(
        default="stream_match.fleet/1", alias="schema", description="Name and version of the payload"
    )
    fleet: Name = Field(description="Name of the fleet")
    node: Name = Field(description="Name of the listener in topics")
    since: datetime | None = Field(description="Since when it is in the fleet; null if it is not now")
    max_sources: int | None = Field(
        description="Most sources that it takes now; null if that is not known yet"
    )
    sources: tuple[SharedSource, ...] = Field(description="What it listens to")
    others: tuple[Name, ...] = Field(description="The other listeners of the fleet, as far as it knows")
    free: tuple[Name, ...] = Field(description="Sources that nobody has, as far as it knows")
    trouble: str | None = Field(description="Why nothing is shared now; null if sources are shared")


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of what is told, by the name of its file."""
    return {"fleet": FleetStatus.model_json_schema(by_alias=True, mode="serialization")}
