"""Updates of packed parameters: the rules of `arithmetic.updates` as LLVM vector instructions.

They are written once: what updates a gradient in memory and what updates a tile in registers (`updated_tiles`) give the same bits.
With t the gradient plus the slope of the penalty, g + l2 w + l1 sign(w):

    momentum   v <- m v - r t;  w <- w + v
    nesterov   v <- m v - r t;  w <- w + m v - r t
    adam       v <- m v + (1 - m) t;  s <- b s + (1 - b) t^2;  w <- w - r' v / (sqrt(s c) + 1e-8)
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import float64, intp, types
from numba.extending import intrinsic

from .._jit import jit, linked
from ..arithmetic.updates import ADAM, ADAM_DECAY, ADAM_EPSILON, MOMENTUM, NESTEROV, UPDATE
from .instructions import (
    FLOAT,
    INT,
    INTS,
    LANES,
    POINTER,
    VECTOR,
    VOID,
    broadcast,
    call,
    element,
    integer,
    load,
    moved,
    store,
)  # fmt: skip
from .microkernel import arrive, multiply_add, phis
from .panels import VECTOR as FLOATS

RATE, KEPT, L1, L2, NEW, DECAY, NEW_SQUARE, CORRECTION, EPSILON = range(9)  # of the settings


@jit
def settings_of(update, rate, step, is_weight):
    """What a rule needs, (9,) float32, for the minibatch number ``step`` and its ``rate``; biases have no penalty."""
    settings = np.zeros(9, np.float32)
    settings[RATE], settings[KEPT] = rate, update.momentum
    if is_weight:
        settings[L1], settings[L2] = update.l1, update.l2
    if (
        update.optimizer == ADAM
    ):  # 1 - b in float64: in float32 it would be off by 1e-5 and no longer match the correction
        settings[RATE] = rate / (1.0 - update.momentum ** (step + 1))
        settings[NEW], settings[DECAY], settings[NEW_SQUARE] = 1.0 - update.momentum, ADAM_DECAY, 1.0 - ADAM_DECAY
        settings[CORRECTION] = 1.0 / (1.0 - ADAM_DECAY ** (step + 1))
        settings[EPSILON] = ADAM_EPSILON
    return settings


# ---- the rules -------------------------------------------------------------------------------------------------------


class Rule:
    """The instructions of one optimiser; ``settings`` points to its numbers."""

    def __init__(self, builder: Any, optimizer: int, settings: Any):
        self.optimizer = optimizer
        needed = {MOMENTUM: (RATE, KEPT), NESTEROV: (RATE, KEPT), ADAM: range(9)}[optimizer]
        self.numbers = {n: broadcast(builder, load(builder, settings, 4 * n, FLOAT)) for n in {L1, L2, *needed}}

    def apply(self, builder: Any, gradient: Any, places: tuple[Any, Any, Any], offset: int) -> Any:
        """Update a vector of weights, velocities and squares at ``offset`` from their places; the weights are returned too."""
        c, zero, sign = self.numbers, ir.Constant(VECTOR, [0.0] * LANES), ir.Constant(INTS, [1 << 31] * LANES)
        w, v = load(builder, places[0], offset), load(builder, places[1], offset)
        t = multiply_add(builder, c[L2], w, gradient)
        slope = builder.bitcast(
            builder.or_(builder.and_(builder.bitcast(w, INTS), sign), builder.bitcast(c[L1], INTS)), VECTOR
        )
        t = builder.select(builder.fcmp_ordered("!=", w, zero), builder.fadd(t, slope), t)
        if self.optimizer == ADAM:
            s = load(builder, places[2], offset)
            v = multiply_add(builder, c[KEPT], v, builder.fmul(c[NEW], t))
            s = multiply_add(builder, c[DECAY], s, builder.fmul(c[NEW_SQUARE], builder.fmul(t, t)))
            store(builder, s, places[2], offset)
            size = call(builder, f"llvm.sqrt.v{LANES}f32", VECTOR, [builder.fmul(s, c[CORRECTION])])
            w = builder.fsub(w, builder.fdiv(builder.fmul(c[RATE], v), builder.fadd(size, c[EPSILON])))
        else:
            step = builder.fsub(ir.Constant(VECTOR, [-0.0] * LANES), builder.fmul(c[RATE], t))
            v = multiply_add(builder, c[KEPT], v, step)
            w = builder.fadd(w, multiply_add(builder, c[KEPT], v, step) if self.optimizer == NESTEROV else v)
        store(builder, v, places[1], offset)
        store(builder, w, places[0], offset)
        return w


def for_each_rule(function: Any, builder: Any, optimizer: Any) -> Any:
    """Blocks for the optimisers, to which control goes by their number: (number, builder); all end by returning."""
    blocks = {number: function.append_basic_block(f"rule_{number}") for number in (MOMENTUM, NESTEROV, ADAM)}
    switch = builder.switch(optimizer, blocks[MOMENTUM])
    for number, block in blocks.items():
        if number != MOMENTUM:
            switch.add_case(integer(number), block)
        yield number, ir.IRBuilder(block)


def _update_function(module: Any) -> Any:
    """LLVM function (gradient, weights, velocities, squares, settings, optimizer, bytes): update some vectors of numbers."""
    name = "stacked_update"
    if name in module.globals:
        return module.globals[name]
    kinds = [POINTER] * 5 + [INT, INT]
    function = ir.Function(module, ir.FunctionType(VOID, kinds), name)
    function.linkage = "linkonce_odr"
    gradient, *places, settings, optimizer, n_bytes = function.args
    entry = ir.IRBuilder(function.append_basic_block("entry"))
    for number, builder in for_each_rule(function, entry, optimizer):
        rule = Rule(builder, number, settings)
        loop, done = function.append_basic_block("loop"), function.append_basic_block("done")
        before = builder.block
        builder.branch(loop)
        builder = ir.IRBuilder(loop)
        (offset,) = phis(builder, [integer(0)], before)
        here = [moved(builder, place, offset) for place in (gradient, *places)]
        rule.apply(builder, load(builder, here[0], 0), (here[1], here[2], here[3]), 0)
        following = builder.add(offset, integer(4 * LANES))
        arrive([offset], [following], loop)
        builder.cbranch(builder.icmp_signed("<", following, n_bytes), loop, done)
        ir.IRBuilder(done).ret_void()
    return function


@intrinsic
def _update_numbers(typing, gradient, weights, velocity, squares, settings, optimizer, n):
    def code(context, builder, signature, args):
        pointers = [element(context, builder, signature.args[i], args[i], integer(0)) for i in range(5)]
        n_bytes = builder.mul(args[6], integer(4))
        builder.call(_update_function(builder.module), [*pointers, args[5], n_bytes])
        return context.get_dummy_value()

    return types.void(gradient, weights, velocity, squares, settings, types.intp, types.intp), code


@linked(UPDATE, float64, intp, FLOATS, FLOATS, FLOATS, FLOATS, intp)
def update_packed(update, rate, step, gradient, params, velocity, squares, is_weight):
    """Update float32 parameters (n,), n a multiple of LANES, all weights or all biases, with the ``rate`` of minibatch ``step``."""
    settings = settings_of(update, rate, step, is_weight)
    if params.shape[0]:
        _update_numbers(gradient, params, velocity, squares, settings, update.optimizer, params.shape[0])
