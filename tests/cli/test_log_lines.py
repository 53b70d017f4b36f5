"""The log as JSON."""

import json
import logging
import sys

from stream_match.cli.log_lines import JsonFormatter


def line(message, *args, error=None):
    record = logging.LogRecord("stream_match.service", logging.WARNING, "", 0, message, args, error)
    text = JsonFormatter().format(record)
    assert "\n" not in text
    return json.loads(text)


def test_a_record_is_one_object_whatever_is_in_it():
    said = line("%s: gone\n\x1b[31m\u202e", "radio ✓")
    assert said["message"] == "radio ✓: gone\n\x1b[31m\u202e"
    assert (said["level"], said["logger"]) == ("warning", "stream_match.service")
    assert said["time"].endswith("+00:00")
    assert "traceback" not in said


def test_a_traceback_stays_in_its_line():
    try:
        int("odd")
    except ValueError:
        said = line("broke", error=sys.exc_info())
    assert said["traceback"].startswith("Traceback")
    assert "ValueError: invalid literal" in said["traceback"]


def test_a_listener_logs_it_and_masks_secrets(run_process, stranger):
    where = ("--source", stranger, "--pace", "fast", "--sink", "mqtt://bob:hunter2@127.0.0.1:9")
    done = run_process("listen", *where, "--log-format", "json")
    said = [json.loads(one) for one in done.stderr.splitlines()]
    assert any("heard 8.0 s" in one["message"] for one in said)
    assert any("mqtt://127.0.0.1:9" in one["message"] for one in said)
    assert {one["level"] for one in said} >= {"info", "warning"}
    assert "hunter2" not in done.stderr
