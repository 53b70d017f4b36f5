"""The page: who may see it, and whether its address is free."""

import errno
from functools import partial

from stream_match.config import ListenSettings
from stream_match.config.web_settings import web_address
from stream_match.doctor.check import Check, Finding, aside, checked
from stream_match.errors import StreamMatchError, install_command, words_of
from stream_match.service.claim import is_claimed

PAGE_S = 15.0
"""Longest time for the check; what has the address is asked who it is."""

OTHER_PORT = "Give another port ([web] listen, or --web HOST:PORT), or end what has it."


async def page_check(settings: ListenSettings, node: str) -> Check:
    """Check the page that the settings ask for.

    Parameters
    ----------
    settings : ListenSettings
        With an address for the page.
    node : str
        Name of the listener.
    """
    return await checked("page", partial(_page, settings, node), limit_s=PAGE_S)


async def _page(settings: ListenSettings, node: str) -> str | tuple[str, str]:
    from stream_match.web.access import token_of

    assert settings.web.listen is not None
    try:
        from stream_match.web.server import bound
    except ModuleNotFoundError as error:
        said = f"It needs {error.name}, which is not installed."
        raise Finding(said, f"{install_command('web')}.") from None
    try:
        token = token_of(settings.web)
    except StreamMatchError as error:
        raise Finding(str(error), "Do what the sentence says.") from None
    host, port = web_address(settings.web.listen)
    seen = "behind a token" if token else "for this computer only, without a token"
    try:
        (await bound(host, port)).close()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise Finding(
                f"It cannot be shown at {settings.web.listen}: {words_of(error)}.",
                "Give an address of this computer and a port above 1023: [web] listen, or --web HOST:PORT.",
            ) from None
        who = await aside(partial(_who_has_it, host, port, token))
        return _taken(settings, node, who)
    return f"{settings.web.listen}, {seen}."


def _taken(settings: ListenSettings, node: str, who: str | None) -> str | tuple[str, str]:
    """Say whether the address is taken by the listener of these settings, which holds their state folder."""
    if who == node and settings.state is None:
        return f"The listener {node!r} shows its page there now.", f"If it is another one: {OTHER_PORT}"
    if who == node and settings.state is not None and is_claimed(settings.state):
        return f"The listener {node!r} shows it at {settings.web.listen} now."
    told = "another program" if who is None else "another page"
    if who:
        told = f"the page of the listener {who!r}"
    raise Finding(f"{settings.web.listen} is taken by {told}.", OTHER_PORT)


def _who_has_it(host: str, port: int, token: str | None) -> str | None:
    """Return the node of the listener whose page is at an address; None if it is none, "" if it is secret."""
    from stream_match.web.inquiry import UnansweredError, inquire

    try:
        found = inquire(host, port, token)
    except UnansweredError:
        return None
    return str((found.full or {}).get("node") or "")
