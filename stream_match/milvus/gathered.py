"""Questions to a server that several threads ask at a time: while some are under way, the others gather."""

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")
Answer = TypeVar("Answer")

REQUESTS = 2
"""Under way at a time: the server prepares one while it computes another. What comes meanwhile waits for less
than a request takes, and then costs one request in all."""


@dataclass(eq=False)
class _Question(Generic[Key, Item, Answer]):
    key: Key
    items: Sequence[Item]
    sent: bool = False
    answers: Sequence[Answer] | None = None
    error: Exception | None = None


class Gathered(Generic[Key, Item, Answer]):
    """Asks for many threads in few requests.

    Parameters
    ----------
    send : callable (Key, list of Item) -> sequence of Answer
        Asks about items and returns an answer to each, in their order.
    most : int
        Items of one request, if they are not of one thread.
    """

    def __init__(self, send: Callable[[Key, list[Item]], Sequence[Answer]], *, most: int) -> None:
        self._send = send
        self._most = most
        self._waiting: list[_Question[Key, Item, Answer]] = []
        self._under_way = 0
        self._changed = threading.Condition()

    def ask(self, key: Key, items: Sequence[Item]) -> Sequence[Answer]:
        """Return the answers to items; only questions with equal keys are asked together.

        Raises
        ------
        Exception
            What `send` raises.
        """
        own = _Question[Key, Item, Answer](key, items)
        with self._changed:
            self._waiting.append(own)
            self._changed.wait_for(lambda: own.answers is not None or self._may_send(own))
            together = [] if own.answers is not None else self._taken(own)
        if together:
            self._answer(together)
        elif own.error is not None:
            raise own.error
        assert own.answers is not None
        return own.answers

    @property
    def waiting(self) -> int:
        """Questions that are not under way."""
        return len(self._waiting)

    def _may_send(self, own: _Question[Key, Item, Answer]) -> bool:
        return not own.sent and self._under_way < REQUESTS

    def _taken(self, own: _Question[Key, Item, Answer]) -> list[_Question[Key, Item, Answer]]:
        """Take a question, and others that fit, from those that wait, the longest first."""
        together, n_items = [own], len(own.items)
        for other in self._waiting:
            if other is not own and other.key == own.key and n_items + len(other.items) <= self._most:
                together.append(other)
                n_items += len(other.items)
        for one in together:
            one.sent = True
            self._waiting.remove(one)
        self._under_way += 1
        return together

    def _answer(self, together: list[_Question[Key, Item, Answer]]) -> None:
        try:
            answers = self._send(together[0].key, [item for one in together for item in one.items])
        except Exception as error:
            self._settle(together, (), error)
            raise
        except BaseException:  # this thread is to end, and nobody else
            self._give_back(together[1:])
            raise
        self._settle(together, answers, None)

    def _settle(
        self,
        together: list[_Question[Key, Item, Answer]],
        answers: Sequence[Answer],
        error: Exception | None,
    ) -> None:
        with self._changed:
            self._under_way -= 1
            first = 0
            for one in together:
                one.answers, one.error = answers[first : first + len(one.items)], error
                first += len(one.items)
            self._changed.notify_all()

    def _give_back(self, others: list[_Question[Key, Item, Answer]]) -> None:
        with self._changed:
            self._under_way -= 1
            for one in others:
                one.sent = False
            self._waiting = [*others, *self._waiting]
            self._changed.notify_all()
