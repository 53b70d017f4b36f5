"""What stands in the bucket: leases of sources, and the presence of workers."""

from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stream_match.events import Name

SOURCE, WORKER = "source.", "worker."
"""What keys begin with; the name of a source or of a node follows."""


class Lease(BaseModel):
    """Who has something, and for how long after each write.

    Attributes
    ----------
    node
        Name of the worker.
    instance
        Tells this process from others of the same node.
    since
        When it was taken, by the worker's clock; for people only.
    lease_s
        How long after this write nobody else takes it [seconds].
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    node: Name
    instance: str = Field(max_length=64)
    since: datetime
    lease_s: float = Field(gt=0, le=3600)


class Presence(Lease):
    """A worker of the fleet.

    Attributes
    ----------
    most
        How many sources it takes at most; None for any number.
    asks
        Sources of others that it would take over.
    """

    most: int | None = Field(default=None, ge=0)
    asks: tuple[str, ...] = ()


L = TypeVar("L", bound=Lease)


def encoded(entry: Lease) -> bytes:
    """Return an entry as it stands in the bucket."""
    return entry.model_dump_json().encode()


def decoded(kind: type[L], value: bytes) -> L | None:
    """Return what stands in the bucket; None if it is something else."""
    try:
        return kind.model_validate_json(value)
    except ValidationError:
        return None
