"""Where an index is: a folder, or a server that has it."""

import re
from pathlib import Path


def index_place(text: str) -> Path | str:
    """Return where an index is: a folder, or the address of one on a Milvus server, as it was given.

    Parameters
    ----------
    text : str
        A path, or ``milvus://…`` or ``milvuss://…``.
    """
    return text if re.match("milvuss?:", text, re.IGNORECASE) else Path(text)
