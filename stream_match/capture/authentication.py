"""Basic (RFC 7617) and Digest (RFC 7616) authentication with a web server."""

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote

_CHALLENGE = re.compile(
    r"(?:^|,)\s*(basic|digest)\b(.*?)(?=,\s*(?:basic|digest|bearer|negotiate|ntlm)\b|$)", re.I | re.S
)
_FIELD = re.compile(r'([\w*]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
LONGEST_HEADER = 2000  # letters that are looked at

# From the most to the least secure.
_HASHES: Mapping[str, Callable[[bytes], str]] = {
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
}
_SESSION = "-SESS"


class Login:
    """User and password for one server, sent only in answer to its challenge.

    Parameters
    ----------
    user, password : str
        As the server knows them.
    """

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password
        self._challenge: Mapping[str, str] | None = None
        self._count = 0

    def challenged(self, headers: Iterable[str]) -> bool:
        """Take note of what a server wants.

        Parameters
        ----------
        headers : iterable of str
            Its ``WWW-Authenticate`` headers.

        Returns
        -------
        bool
            True if it can be answered.
        """
        offered = [one for header in headers for one in _challenges(header)]
        self._count = 0
        self._challenge = min(offered, key=_rank, default=None)
        return self._challenge is not None

    def answer(self, method: str, target: str) -> str | None:
        """Make the header ``Authorization`` of a request.

        Parameters
        ----------
        method : str
            Such as ``GET``.
        target : str
            Path and query of the request.

        Returns
        -------
        str or None
            None if the server has asked for nothing yet.
        """
        if self._challenge is None:
            return None
        if self._challenge["scheme"] == "basic":
            pair = f"{self._user}:{self._password}".encode()
            return f"Basic {base64.b64encode(pair).decode('ascii')}"
        self._count += 1
        return self._digest(self._challenge, f"{self._count:08x}", secrets.token_hex(8), (method, target))

    def _digest(self, wanted: Mapping[str, str], count: str, cnonce: str, request: tuple[str, str]) -> str:
        algorithm, nonce, realm = _algorithm(wanted), wanted["nonce"], wanted.get("realm", "")
        hashed = _HASHES[algorithm.removesuffix(_SESSION)]

        def h(*parts: str) -> str:
            return hashed(":".join(parts).encode())

        secret = h(self._user, realm, self._password)
        if algorithm.endswith(_SESSION):
            secret = h(secret, nonce, cnonce)
        bare = {"algorithm": wanted.get("algorithm", "MD5")}
        proof = [nonce]
        if "qop" in wanted:
            bare |= {"qop": "auth", "nc": count}
            proof += [count, cnonce, "auth"]
        quoted = {"realm": realm, "nonce": nonce, "uri": request[1], "cnonce": cnonce}
        quoted["response"] = h(secret, *proof, h(*request))
        quoted |= {"opaque": wanted["opaque"]} if "opaque" in wanted else {}
        fields = [self._username(), *(f'{key}="{_escaped(text)}"' for key, text in quoted.items())]
        return "Digest " + ", ".join(fields + [f"{key}={text}" for key, text in bare.items()])

    def _username(self) -> str:
        if self._user.isascii():
            return f'username="{_escaped(self._user)}"'
        return f"username*=UTF-8''{quote(self._user, safe='')}"


def _challenges(header: str) -> Iterable[Mapping[str, str]]:
    """Take the challenges that we can answer out of a header; bad ones are none."""
    for scheme, text in _CHALLENGE.findall(" ".join(_as_utf8(header[:LONGEST_HEADER]).split())):
        fields = {key.lower(): _unescaped(quoted) or bare for key, quoted, bare in _FIELD.findall(text)}
        challenge = fields | {"scheme": scheme.lower()}
        if scheme.lower() == "basic" or _answerable(challenge):
            yield challenge


def _as_utf8(header: str) -> str:
    """Undo that `http.client` takes every header for Latin-1."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


def _answerable(challenge: Mapping[str, str]) -> bool:
    known = _algorithm(challenge).removesuffix(_SESSION) in _HASHES
    offered = [qop.strip().lower() for qop in challenge.get("qop", "auth").split(",")]
    return known and "nonce" in challenge and "auth" in offered


def _algorithm(challenge: Mapping[str, str]) -> str:
    return challenge.get("algorithm", "MD5").upper()


def _rank(challenge: Mapping[str, str]) -> int:
    if challenge["scheme"] == "basic":
        return len(_HASHES)
    return list(_HASHES).index(_algorithm(challenge).removesuffix(_SESSION))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
