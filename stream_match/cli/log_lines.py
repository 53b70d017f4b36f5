"""The log as lines of JSON, for programs that collect logs."""

import json
import logging
from datetime import UTC, datetime

from stream_match.text import printable_json

FORMATS = ("text", "json")


class JsonFormatter(logging.Formatter):
    """One object a line: ``time`` (UTC, RFC 3339), ``level``, ``logger``, ``message``, ``traceback`` if any.

    What is secret is masked where a sentence is made, as for people.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        said = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return printable_json(json.dumps(said, ensure_ascii=False))
