"""Which message breaks connections: a guess, where the broker has no words for it.

A broker of MQTT 3.1.1 hangs up over a message that it does not take. A broker that crashes looks the same,
whatever is under way. So a message is given up after few breaks only when it is the likely cause: the broker
said so, or the message is larger than any that passed on its topic and the broker speaks 3.1.1. Otherwise
it takes many breaks. Connections that also break with nothing under way acquit every message.
"""

import time
from collections.abc import Callable, Hashable

from stream_match.publish import topics
from stream_match.publish.policy import PATIENT_ATTEMPTS, AwayError, Failures, RefusedError
from stream_match.publish.reasons import WORDLESS

RETRY_S = 600.0
"""A guess about the size that a broker takes stands for so long. Then a large message is tried again."""


class Suspicion:
    """Knows what passed and what broke the connection.

    Parameters
    ----------
    clock : callable, optional
        Returns monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._few = Failures()
        self._many = Failures(PATIENT_ATTEMPTS)
        self._passed: dict[str, int] = {}  # largest size, by topic [bytes]
        self._guessed: dict[str, tuple[int, float]] = {}  # a size that breaks, and until when, by topic

    def passed(self, key: Hashable, message: topics.Message) -> None:
        """Take note that the broker acknowledged a message, or one that was sent after it."""
        size = _size(message)
        self.forget(key)
        self._passed[message.topic] = max(size, self._passed.get(message.topic, 0))
        self._guessed = {topic: guess for topic, guess in self._guessed.items() if guess[0] > size}

    def forget(self, key: Hashable) -> None:
        """Forget what was counted against a thing that is not to be delivered any more."""
        self._few.passed(key)
        self._many.passed(key)

    def forbids(self, message: topics.Message) -> bool:
        """Say whether a message would break the connection, as far as can be guessed."""
        size, until_s = self._guessed.get(message.topic, (0, 0.0))
        return 0 < size <= _size(message) and self._clock() < until_s

    def broke_over(
        self, key: Hashable, message: topics.Message, lost: AwayError, *, speaks_v5: bool
    ) -> RefusedError | None:
        """Count a broken connection against the message that was under way.

        Parameters
        ----------
        key : hashable
            What is to be delivered: the id of an event, or the topic of a state.
        message : Message
            Its message.
        lost : AwayError
            How the connection broke.
        speaks_v5 : bool
            Whether the broker speaks MQTT 5, which tells limits and refusals.

        Returns
        -------
        RefusedError or None
            Why to give the message up, if it is to be given up.
        """
        said = lost.kind not in WORDLESS
        likely = said or (not speaks_v5 and lost.kind != "silent" and self._is_unproved(message))
        if not likely:
            self._few.clear()  # the broker breaks over what it takes
        error = _refused(message, lost)
        if not (self._few if likely else self._many).enough(key, error):
            return None
        if likely and self._may_be_too_large(message, lost, speaks_v5=speaks_v5):
            self._guessed[message.topic] = _size(message), self._clock() + RETRY_S
        return error

    def broke_by_itself(self, lost: AwayError) -> None:
        """Take note that a connection broke, or was not made, with nothing under way."""
        self._few.clear()
        self._guessed.clear()  # the broker may have been restarted, with another limit
        # A message that crashes the broker makes it absent for a while: that alone acquits nothing.
        if lost.kind in ("lost", "unanswered"):
            self._many.clear()

    def _is_unproved(self, message: topics.Message) -> bool:
        return _size(message) > self._passed.get(message.topic, 0)

    def _may_be_too_large(self, message: topics.Message, lost: AwayError, *, speaks_v5: bool) -> bool:
        if lost.kind == "too-large":
            return True
        return not speaks_v5 and _size(message) > max(self._passed.values(), default=0)


def _size(message: topics.Message) -> int:
    return topics.packet_bytes(message, v5=False)


def _refused(message: topics.Message, lost: AwayError) -> RefusedError:
    return RefusedError(
        f"broke off: {lost.kind}",
        f"The connection broke again and again over {len(message.payload.encode())} bytes for "
        f"{message.topic}: check the broker's limits (max_packet_size) and permissions (ACL). {lost}",
    )
