"""Settings: frozen, with units in their names, unknown keys refused at every level.

The daemon reads its settings from a file in TOML (``listen --config FILE.toml``)::

    node = "attic"                  # name of this listener in topics; the host's name by default
    index = "models/demo"
    pace = "real"                   # or "fast": files are read as fast as they can be
    sinks = ["mqtt://broker.local/stream_match", "jsonl:events.jsonl"]
    state = "state"                 # folder in which events and clusters are kept over restarts
    reconnect_max_seconds = 10      # longest pause between two attempts, in an outage's first hour

    [[sources]]
    uri = "https://radio.example/stream"
    name = "radio-example"          # name in topics; derived from the URI by default
    title = "Radio Example"         # what a person calls it

    [[sources]]
    uri = "https://members.example/live.m3u"
    name = "members"
    username = "ann"
    password = "hunter2"
    headers = { "X-Key" = "abc" }   # sent to this server only
    user_agent = "Mozilla/5.0"
    charset = "cp1251"              # of titles that are not UTF-8

    [[sources]]
    uri = "mic:"
    channel = 2                     # counted from 1; the mean of all by default

    [match]
    max_false_alarms_per_hour = 0.1

    [onsets]                        # which sounds begin, and of which kind they are
    enabled = true

    [store]                         # of events, in the folder of `state`
    keep_days = 400
    max_megabytes = 512

    [hints]                         # why nothing may be detected, in status events
    after_hours = 12
    silence_minutes = 5

    [web]                           # a page; needs the extra "web"
    listen = "127.0.0.1:8765"       # beyond this computer it needs a token, too

    [home_assistant]                # knows the sources by itself, over an MQTT broker
    discovery = true
    prefix = "homeassistant"

Paths are relative to the directory in which the program is started. User and password of the broker
are better kept in the environment: STREAM_MATCH_MQTT_USERNAME and STREAM_MATCH_MQTT_PASSWORD.
"""

from stream_match.config.feature_settings import FEATURE_CODE_VERSION, LISTENING_DENSITY, FeatureSettings
from stream_match.config.heard_settings import HeardSettings
from stream_match.config.hint_settings import HintSettings
from stream_match.config.home_assistant_settings import HomeAssistantSettings
from stream_match.config.layers import read_settings
from stream_match.config.listen_settings import ListenSettings
from stream_match.config.match_settings import MatchSettings, OnsetSettings
from stream_match.config.settings import Settings
from stream_match.config.sink_settings import SinkSettings
from stream_match.config.source_settings import SourceSettings
from stream_match.config.store_settings import StoreSettings
from stream_match.config.web_settings import WebSettings

__all__ = [
    "FEATURE_CODE_VERSION",
    "LISTENING_DENSITY",
    "FeatureSettings",
    "HeardSettings",
    "HintSettings",
    "HomeAssistantSettings",
    "ListenSettings",
    "MatchSettings",
    "OnsetSettings",
    "Settings",
    "SinkSettings",
    "SourceSettings",
    "StoreSettings",
    "WebSettings",
    "read_settings",
]
