"""Sums over the columns of a large matrix in two parts, each made by the threads that update its columns.

A thread updates the same columns of a matrix in every minibatch. For products with the transpose it would read rows, so columns
of others too, and these would have to take their lines back from its cache before the next update, which takes longer than
a product of a small minibatch where the two cores share no cache. So the sum is cut, always at the same place, whoever makes the
parts and however many threads there are; who is second adds the two.

Not for minibatches of more rows than a block, whose products outweigh that, nor in bfloat16, whose products read copies of half
the size.
"""

from typing import Any

from numba import intp, types
from numba.extending import intrinsic

from .._jit import jit, linked
from .instructions import PANEL, integer
from .panels import PANELS, panel_count
from .rows import add_row

WHOLE = -1  # in place of the number of a part: the sum is not cut, as where one thread makes all of it
LEAST = 1 << 17  # numbers of a matrix whose sums are cut; smaller ones are soon taken back


@jit
def parts_of(packed, n_rows, n_high, n_columns):
    """Parts of the sums over the columns of a matrix (n_high, n_columns) of a network or a machine, for a minibatch of ``n_rows``.

    That is of the minibatch and the matrix alone: no room that was made for larger ones may change bits.
    """
    is_large = n_high * n_columns >= LEAST and n_columns > PANEL
    return 2 if is_large and n_rows <= packed.rows and not packed.bfloat16 else 1


@jit
def columns_of(part, n_columns):
    """The columns of a part: the first, and where they end."""
    if part == WHOLE:
        return 0, n_columns
    middle = panel_count(n_columns) // 2 * PANEL
    return (middle, n_columns) if part else (0, middle)


@jit
def job_of(piece, n_jobs, n_parts):
    """Part and job of a piece of work: all jobs of part 0, then those of part 1 from the last to the first.

    So the threads that make the two parts are second for half of the jobs each: what follows a complete sum is shared out.
    """
    number = intp(piece)  # the number of a parallel loop has no sign
    if n_parts == 1:
        return WHOLE, number
    return (0, number) if number < n_jobs else (1, 2 * n_jobs - 1 - number)


@intrinsic
def _count(typing, numbers, index):
    """Add 1 to numbers[index] at once for all threads; what it was."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        numbers = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", builder.gep(numbers, [args[1]]), integer(1), "seq_cst")

    return types.intp(numbers, types.intp), code


@jit
def is_second(arrivals, job):
    """Whether the other part of a job is made: for one of the two. Then the job's place in ``arrivals`` is 0 again."""
    if _count(arrivals, job) == 0:
        return False
    arrivals[job] = 0
    return True


@linked(PANELS, intp, intp, intp, PANELS)
def add_part(part, panel, first, stop, out):
    """out[panel, first:stop] += part[panel, first:stop]."""
    for r in range(first, stop):
        place = (panel * out.shape[1] + r) * PANEL
        add_row(part, place, out, place)
