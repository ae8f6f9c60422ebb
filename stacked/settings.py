"""Checking of parameters and schedules.

A schedule is a number, or a list of (epoch, value): the value holds from that epoch on, epochs counted from 0, the first entry
at epoch 0.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from .errors import SettingError
from .text import shown

if TYPE_CHECKING:
    import numpy as np

Schedule = tuple[tuple[int, float], ...]
PRECISIONS = ("float32", "bfloat16", "float64")
MAX_WHOLE = 2**63 - 1  # kernels and files keep 64 bits
MAX_COUNT = 2**31  # of epochs and Gibbs steps: random numbers count them in 32 bits
MAX_SEED = 2**128 - 1
MAX_SIZES = 100  # of the layers of one unit
MAX_KERNEL = 4096  # of a convolution, along each side
SCALINGS = ("auto", "minmax", "standard", "center", "log", "none")
LOSS_CHOICES = ("auto", "squared_error", "cross_entropy")
LINE_SEARCHES = ("cg", "lbfgs")  # optimisers that ask for losses and gradients at points of their own
GRADIENT_OPTIMIZERS = ("momentum", "nesterov", "adam", *LINE_SEARCHES)  # of what has a loss with a gradient


def whole(name: str, value: Any, minimum: int = 1, maximum: int = MAX_WHOLE) -> int:
    """``value`` as an int in [minimum, maximum]."""
    number = isinstance(value, Integral) and not isinstance(value, bool)
    if number and minimum <= int(value) <= maximum:
        return int(value)
    bound = f"most {maximum}" if number and int(value) > maximum else f"least {minimum}"
    raise SettingError(f"{name}: expected a whole number of at {bound}, found {shown(value)}")


def real(
    name: str,
    value: Any,
    low: float = 0.0,
    high: float = float("inf"),
    open_high: bool = False,
    open_low: bool = False,
) -> float:
    """``value`` as a finite float in [low, high], without a bound that is open."""
    number = _as_float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    above = low < number if open_low else low <= number
    if above and (number < high if open_high else number <= high) and math.isfinite(number):
        return number
    bounds = f"{'(' if open_low else '['}{low:g}, {high:g}{')' if open_high or high == float('inf') else ']'}"
    raise SettingError(f"{name}: expected a number in {bounds}, found {shown(value)}")


def _as_float(value: Any) -> float:
    """The nearest float; infinity for an integer beyond all of them."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def sizes(name: str, value: Any) -> tuple[int, ...]:
    """``value``, a sequence of at most `MAX_SIZES` whole numbers from 1 on, as a tuple."""
    if not isinstance(value, tuple | list):
        raise SettingError(f"{name}: expected a sequence of whole numbers from 1 on, found {shown(value)}")
    if len(value) > MAX_SIZES:
        raise SettingError(f"{name}: expected at most {MAX_SIZES} sizes, found {len(value)}")
    return tuple(whole(name, number) for number in value)


def pair(name: str, value: Any) -> tuple[float, float]:
    """``value``, two finite numbers from 0 on of which one is more, as a tuple."""
    if isinstance(value, tuple | list) and len(value) == 2:
        first, second = (real(name, number) for number in value)
        if first + second > 0:
            return first, second
    raise SettingError(f"{name}: expected two numbers from 0 on, not both 0, found {shown(value)}")


def choice(name: str, value: Any, allowed: Sequence[str]) -> str:
    """``value``, one of the allowed words."""
    if isinstance(value, str) and value in allowed:
        return value
    raise SettingError(f"{name}: expected one of {', '.join(allowed)}; found {shown(value)}")


def flag(name: str, value: Any) -> bool:
    """``value`` as a bool."""
    import numpy as np  # here and below, so that declarations of parameters load fast

    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise SettingError(f"{name}: expected True or False, found {shown(value)}")


def schedule(name: str, value: Any, high: float = float("inf")) -> Schedule:
    """A number, or a list of (epoch, value) that starts at epoch 0 and increases, as a `Schedule`; values in [0, high)."""
    if isinstance(value, Real):
        return ((0, real(name, value, 0.0, high, open_high=True)),)
    try:
        pairs = [(whole(f"{name} epoch", epoch, 0), real(name, v, 0.0, high, open_high=True)) for epoch, v in value]
    except (TypeError, ValueError) as error:
        if isinstance(error, SettingError):
            raise
        raise SettingError(f"{name}: expected a number or a list of (epoch, value), found {shown(value)}") from None
    epochs = [epoch for epoch, _ in pairs]
    if not pairs or epochs[0] != 0 or any(b <= a for a, b in pairwise(epochs)):
        raise SettingError(f"{name}: the epochs of a schedule start at 0 and increase, found {shown(epochs)}")
    return tuple(pairs)


def value_at(steps: Schedule, epoch: int) -> float:
    """Value of a schedule in an epoch."""
    return [value for start, value in steps if start <= epoch][-1]


def precision_dtype(precision: Any) -> "np.dtype":
    """Dtype of parameters and activations for a precision; bfloat16 is one of the products only."""
    import numpy as np

    return np.dtype("float32" if choice("precision", precision, PRECISIONS) == "bfloat16" else precision)


def check_products(precision: str, **optimizers: str) -> None:
    """SettingError for a training that ``precision`` does not allow; ``optimizers`` by the names of their parameters."""
    for name, optimizer in optimizers.items():
        if precision == "bfloat16" and optimizer in LINE_SEARCHES:
            raise SettingError(
                f"{name}: {optimizer} has no bfloat16 products; use precision float32, or momentum, nesterov or adam"
            )
    if precision == "bfloat16":
        check_bfloat16()


def check_bfloat16() -> None:
    """SettingError where this process cannot multiply bfloat16."""
    from .kernels.engine.bfloat16 import obstacle

    found = obstacle()
    if found is not None:
        raise SettingError(
            f"precision: bfloat16 needs AMX or AVX-512 BF16 instructions, but {found}; use precision float32,"
            " which takes models trained with bfloat16 too"
        )


def thread_count(n_threads: Any) -> int | None:
    """Checked ``n_threads``: None, or at least 1 and at most what the kernels can use in this process."""
    if n_threads is None:
        return None
    from .kernels.pool import max_threads

    count = whole("n_threads", n_threads)
    if count > max_threads():
        raise SettingError(
            f"n_threads: expected at most {max_threads()}, found {count}; set the environment variable"
            f" NUMBA_NUM_THREADS={count} before the start to allow more"
        )
    return count


def seed_from(random_state: Any) -> int:
    """A non-negative seed: an int as it is; None and RandomState draw one."""
    import numpy as np

    state = check_seed(random_state)
    if state is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(state, np.random.RandomState):
        return int(state.randint(2**31 - 1))
    return int(state.integers(2**31)) if isinstance(state, np.random.Generator) else int(state)


def check_seed(random_state: Any) -> Any:
    """``random_state``: None, a generator, or a seed as an int; nothing is drawn."""
    import numpy as np

    if isinstance(random_state, Integral) and not isinstance(random_state, bool):
        return whole("random_state", random_state, 0, MAX_SEED)
    if random_state is None or isinstance(random_state, np.random.RandomState | np.random.Generator):
        return random_state
    raise SettingError(f"random_state: expected a whole number, None or a NumPy generator, found {shown(random_state)}")
