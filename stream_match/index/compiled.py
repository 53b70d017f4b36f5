"""What compiles inner loops: numba stands in this file only.

Whoever uses such loops imports their module where it begins to match, not where it is loaded: numba costs
half a second and 40 MB. All signatures are given, so that everything is compiled, or loaded from the cache,
during the import and never in the middle of a stream.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

import numba
import numba.extending
import numpy as np
import numpy.typing as npt

F = TypeVar("F", bound=Callable[..., Any])


def array_of(dtype: npt.DTypeLike, n_dimensions: int = 1, *, written: bool = False) -> Any:
    """Return the type of a C-contiguous array; one that is only read may be a mapped file."""
    return numba.types.Array(numba.from_dtype(np.dtype(dtype)), n_dimensions, "C", readonly=not written)


INT64, FLOAT64, FLOAT32 = array_of(np.int64), array_of(np.float64), array_of(np.float32)
INT, FLOAT, REAL = numba.int64, numba.float64, numba.float32
"""Types of arguments: arrays of one dimension, and numbers."""

compiled_anew: list[str] = []
"""Names of the functions that this process has compiled, and not loaded from what was kept."""


def compiled(*arguments: Any, any_order: bool = False) -> Callable[[F], F]:
    """Return a decorator that compiles a function for arguments of these types.

    With `any_order`, sums of floats may be added in any order, which lets loops take whole vectors. The last
    digits of sums then differ between processors.

    What was compiled is kept for the next start, beside its file or in the user's cache. Where neither can
    be written, on a full disk, or if what was kept is broken, it is compiled at each start.
    """

    def decorator(function: F) -> F:
        fastmath = {"reassoc"} if any_order else False
        compile_it: Any = partial(numba.njit, arguments, nogil=True, error_model="numpy", fastmath=fastmath)
        try:
            kernel: Any = compile_it(cache=True)(function)
        except Exception:  # noqa: BLE001 - whatever the cache raises; an error of ours is raised again
            kernel = compile_it()(function)
        stats = getattr(kernel, "stats", None)  # none where NUMBA_DISABLE_JIT is set
        if stats is not None and not stats.cache_hits:
            compiled_anew.append(function.__name__)
        return cast("F", kernel)

    return decorator


def inlined(function: F) -> F:
    """Mark what stands in an inner loop: if a loop calls anything, it is not taken by whole vectors."""
    inline: Any = numba.njit(inline="always", error_model="numpy")
    marked: F = inline(function)
    return marked


def _count_of_bits(_: Any, word: Any) -> Any:
    """Return the type of a function that counts the bits of a word that are set, and what makes its code."""
    return numba.int64(word), lambda _context, builder, _signature, words: builder.ctpop(words[0])


bits_set: Any = numba.extending.intrinsic(_count_of_bits)
"""Returns how many bits of a word are set; inside compiled functions only."""
