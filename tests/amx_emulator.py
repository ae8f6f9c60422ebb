"""AMX on a CPU that has none: a handler of SIGILL carries out the tile instructions, so that the real machine code is tested.

A thread that meets a tile instruction runs the handler, which decodes it, does its work in NumPy and goes on behind it. Kernels
hold no GIL while they compute, so the handler may be Python. Encodings and results follow Intel's Architecture Instruction Set
Extensions Programming Reference, chapter 3; TDPBF16PS sums even and odd products apart, then adds both to the tile.

    with emulated() as machine: ...    # machine.counts: instructions by name; machine.mistakes: what the CPU would have refused
"""

import ctypes
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGILL
from threading import get_ident

import numpy as np

_SA_SIGINFO, _SA_NODEFER = 4, 0x40000000
_GENERAL_REGISTERS = 40  # bytes from the start of ucontext_t
# Places in ucontext_t of rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 to r15, rip.
_PLACES = [_GENERAL_REGISTERS + 8 * n for n in (13, 14, 12, 11, 15, 10, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7, 16)]
_RIP = 16
_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_SETTINGS = bytes([1] + [0] * 15 + [64, 0] * 8 + [0] * 16 + [16] * 8 + [0] * 8)  # 8 tiles of 16 rows of 64 bytes


class _Action(ctypes.Structure):
    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ulong * 16),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


class Machine:
    """The tile registers of all threads."""

    def __init__(self) -> None:
        self.tiles: dict[int, np.ndarray] = {}  # (8, 16, 64) bytes, while a thread has configured them
        self.counts: Counter[str] = Counter()
        self.mistakes: list[str] = []

    def step(self, context: int) -> None:
        """Carry out the instruction that ``context``, a ucontext_t, stands at."""
        registers = [ctypes.c_uint64.from_address(context + place) for place in _PLACES]
        code = ctypes.string_at(registers[_RIP].value, 10)
        if code[0] != 0xC4 or code[1] & 31 != 2 or code[2] & 0x84:
            self.mistakes.append(f"not a tile instruction: {code.hex()}")
            raise SystemExit
        prefix, opcode, mode, register, memory = code[2] & 3, code[3], code[4] >> 6, code[4] >> 3 & 7, code[4] & 7
        length, start, stride = 5, 0, 0
        if mode != 3:
            length, start, stride = _address(code, [r.value for r in registers])
        key = (opcode, prefix, "register" if mode == 3 else "memory")
        self._execute(key, register, memory, ~code[2] >> 3 & 15, start, stride)
        registers[_RIP].value += length

    def _execute(self, key: tuple, register: int, second: int, third: int, start: int, stride: int) -> None:
        name = _NAMES[key]
        self.counts[name] += 1
        me = get_ident()
        if name == "ldtilecfg":
            if ctypes.string_at(start, 64) != _SETTINGS:
                self.mistakes.append("other settings than 8 whole tiles")
            self.tiles[me] = np.zeros((8, 16, 64), np.uint8)
            return
        if me not in self.tiles:
            self.mistakes.append(f"{name} without settings")
            self.tiles[me] = np.zeros((8, 16, 64), np.uint8)
        tiles = self.tiles[me]
        if name == "tilerelease":
            del self.tiles[me]
        elif name == "tilezero":
            tiles[register] = 0
        elif name == "tileloadd":
            rows = [np.frombuffer(ctypes.string_at(start + i * stride, 64), np.uint8) for i in range(16)]
            tiles[register] = np.array(rows)
        elif name == "tilestored":
            for i in range(16):
                ctypes.memmove(start + i * stride, tiles[register, i].tobytes(), 64)
        else:
            _multiply(tiles[register].view(np.float32), tiles[second], tiles[third])


_NAMES = {
    (0x49, 0, "memory"): "ldtilecfg",
    (0x49, 0, "register"): "tilerelease",
    (0x49, 3, "register"): "tilezero",
    (0x4B, 3, "memory"): "tileloadd",
    (0x4B, 2, "memory"): "tilestored",
    (0x5C, 2, "register"): "tdpbf16ps",
}


def _address(code: bytes, registers: list[int]) -> tuple[int, int, int]:
    """Length of an instruction with a memory operand, where that starts, and the bytes from one row to the next."""
    mode, memory = code[4] >> 6, code[4] & 7
    base_bit, index_bit = (~code[1] >> 5 & 1) << 3, (~code[1] >> 6 & 1) << 3
    length, stride = 5, 0
    if memory == 4:  # a scale, an index and a base
        scale, index, base = code[5] >> 6, code[5] >> 3 & 7 | index_bit, code[5] & 7
        length, stride = 6, (registers[index] << scale) if index != 4 else 0
    else:
        base = memory
    size = {0: 0, 1: 1, 2: 4}[mode]
    if mode == 0 and base == 5:  # no base, or the next instruction's address
        size = 4
    shift = int.from_bytes(code[length : length + size], "little", signed=True)
    length += size
    if mode == 0 and base == 5:
        return length, (registers[_RIP] + length if memory == 5 else 0) + shift, stride
    return length, registers[base | base_bit] + shift, stride


def _multiply(sums: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    """sums (16, 16) += A (16, 32) @ B (32, 16), of which a and b hold the words (16, 16) as bytes."""
    halves = [
        [(words.view(np.uint32) << shift & 0xFFFF0000).astype(np.uint32).view(np.float32) for shift in (16, 0)]
        for words in (a, b)
    ]
    parts = []
    for x, y in zip(*halves, strict=True):  # even, odd
        part = np.zeros((16, 16), np.float32)
        for k in range(16):
            part = (x[:, k : k + 1].astype(np.float64) * y[k] + part).astype(np.float32)
        parts.append(part)
    sums += parts[0] + parts[1]


@contextmanager
def emulated() -> Iterator[Machine]:
    """Handle SIGILL while inside."""
    machine = Machine()

    def handle(_signal: int, _information: int, context: int) -> None:
        try:
            machine.step(context)
        except BaseException:  # there is no going on: the same instruction would come again
            import os
            import traceback

            traceback.print_exc()
            os._exit(70)

    callback = _HANDLER(handle)
    libc = ctypes.CDLL(None, use_errno=True)
    new = _Action(ctypes.cast(callback, ctypes.c_void_p), (ctypes.c_ulong * 16)(), _SA_SIGINFO | _SA_NODEFER, None)
    old = _Action()
    assert libc.sigaction(int(SIGILL), ctypes.byref(new), ctypes.byref(old)) == 0
    try:
        yield machine
    finally:
        libc.sigaction(int(SIGILL), ctypes.byref(old), None)
