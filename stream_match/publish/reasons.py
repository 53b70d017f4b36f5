"""Why a broker refuses or hangs up, in words.

The codes are those of MQTT 5. MQTT 3.1.1 has some in its CONNACK, which paho translates to these.
"""

import socket
import ssl

from stream_match.publish.address import CREDENTIALS, Address
from stream_match.publish.overheard import Overheard
from stream_match.publish.tls import ANSWER_S, tls_trouble

REFUSAL = 0x80
"""Codes from here on say that something was refused."""

UNSUPPORTED_VERSION = 132
QUOTA_EXCEEDED = 151

BLAMELESS = frozenset(
    {"quota", "rate", "busy", "unavailable", "shutting-down", "administration", "taken-over", "keep-alive"}
    | {"connection-rate", "use-another", "moved", "receive-maximum", "taken"}
)
"""Causes of a lost connection that have nothing to do with what was sent last."""

WORDLESS = frozenset({"lost", "silent", "unreachable", "tls"})
"""Causes of a lost connection that the broker did not tell."""

_REASONS = {
    128: ("unspecified", "gives no reason"),
    129: ("malformed", "calls it malformed"),
    130: ("protocol", "calls it an error of protocol"),
    131: ("broker-own", "has a reason of its own"),
    UNSUPPORTED_VERSION: ("version", "speaks another version of MQTT"),
    133: ("client-id", "does not accept our client id"),
    134: ("credentials", "does not accept user or password"),
    135: ("not-authorised", "does not allow it to this user: check the permissions (ACL)"),
    136: ("unavailable", "is not available"),
    137: ("busy", "is busy"),
    138: ("banned", "has banned this client"),
    139: ("shutting-down", "is shutting down"),
    141: ("keep-alive", "has not heard of us for too long"),
    142: ("taken-over", "has another client of our client id"),
    144: ("topic", "does not accept the topic"),
    145: ("packet-id", "has that packet identifier in use"),
    147: ("receive-maximum", "got more at once than it takes"),
    148: ("topic-alias", "does not accept the topic alias"),
    149: ("too-large", "does not take packets so large: check its max_packet_size or message_size_limit"),
    150: ("rate", "gets messages too fast"),
    QUOTA_EXCEEDED: ("quota", "says that a quota is exceeded"),
    152: ("administration", "closed the connection by order of its administrator"),
    153: ("payload-format", "does not accept the format of the payload"),
    154: ("retain", "keeps no retained messages, which the state of a node needs"),
    155: ("qos", "does not support QoS 1"),
    156: ("use-another", "says that another server is to be used"),
    157: ("moved", "has moved to another server"),
    159: ("connection-rate", "gets connections too fast"),
}


def reason(code: int) -> tuple[str, str]:
    """Return one word for a reason code, and the end of a sentence that begins with "The broker".

    Parameters
    ----------
    code : int
        As in a PUBACK, SUBACK or DISCONNECT.
    """
    kind, words = _REASONS.get(code, (f"code-{code}", "gives a reason that is not known here"))
    return kind, f"{words} (reason code {code})"


def why_lost(error: Exception, refusal: int | None, address: Address, heard: Overheard) -> tuple[str, str]:
    """Return one word for why a connection is lost, and the end of a sentence that begins with "The broker".

    Parameters
    ----------
    error : Exception
        Of the library.
    refusal : int or None
        The code of a CONNACK that refused. Codes from elsewhere are none of the broker's: paho makes them up.
    address : Address
        Where the broker should be.
    heard : Overheard
        What the broker said.
    """
    if refusal is not None:
        return _connect_reason(refusal)
    if heard.farewell is not None:
        kind, words = reason(heard.farewell)
        return kind, f"closed the connection: it {words}"
    if heard.alert is not None:
        return "tls", tls_trouble(heard.alert)
    cause = error.__context__  # the library hides the OSError behind its text
    if isinstance(cause, OSError):
        return _network_cause(cause, address)
    if not heard.welcomed:
        return "unanswered", "closes the connection without an answer: check host, port and mqtts://"
    return "lost", "broke off the connection"


def _connect_reason(code: int) -> tuple[str, str]:
    if code in (134, 135):
        return "credentials", f"refuses user or password: check them in {CREDENTIALS}"
    kind, words = reason(code)
    return kind, f"refuses the connection: it {words}"


def _network_cause(cause: OSError, address: Address) -> tuple[str, str]:
    if isinstance(cause, ssl.SSLError):
        return "tls", tls_trouble(cause)
    if isinstance(cause, socket.gaierror):
        return "name", f"cannot be found: no computer is known as {address.host!r}"
    if isinstance(cause, ConnectionRefusedError):
        return "refused", "refuses the connection: check that it runs, and the port"
    if isinstance(cause, TimeoutError):
        return (
            "silent",
            f"does not answer within {ANSWER_S:g} s: check host, port, and whether it wants mqtts://",
        )
    if address.tls and isinstance(cause, ConnectionError):
        return "tls", f"hangs up ({cause.strerror or cause}): check the port; mqtt:// is without encryption"
    return "unreachable", f"cannot be reached ({cause.strerror or cause}): check host, port and firewall"
