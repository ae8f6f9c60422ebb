"""Sequence autoencoder: one code for a whole sequence, from which it is made again (Srivastava et al. 2015).

    code              h_T, the last of the states h_t = cell(x_t, h_(t-1))
    reconstruction    g(c + s_t V), s_t = cell(h_T, s_(t-1)) or, in reverse order, s_t = cell(h_T, s_(t+1))

What was read last is made again first: the steps beside each other are learned first, and lead to the others (Sutskever et al.
2014). With targets the steps are theirs, from the first to the last (sequence to sequence). With forcing a cell reads [h_T,
y_(t-1)] in place of h_T alone, y_(t-1) being what it should have answered a step before, and in use what it has (`layers.forcing`).
"""

from collections.abc import Iterator
from typing import Any

from ..data import Rows
from ..decoding import Goal
from ..errors import SettingError
from ..layers import Forcing, Layer, Upsampling
from ..layers.base import SampleShape
from ..layers.maps import MapLayer, Shape
from ..parameters import declared, value_of
from ..scaling import Prepared
from .autoencoder_parameters import EVEN
from .chain import Halves
from .map_shapes import sequence_of
from .recurrent import RecurrentUnit
from .sequence_parameters import BUILDING, SequenceAutoencoderParameters


@declared
class SequenceAutoencoder(RecurrentUnit, SequenceAutoencoderParameters):
    """Sequence autoencoder, plain or denoising, alone or as the uppermost unit of a stack: one code for a sequence.

    Samples are sequences (steps, numbers); flat rows are steps of one number, images are read row by row. Shorter ones end in
    steps of NaN, and so do their reconstructions; the code is that of the last step that is there. Codes alone are decoded to as
    many steps as the longest sequence of the training had, of which those of a shorter one are in reverse the last. ``fit(X,
    target=Y)`` trains towards other sequences, one for each of X, of any length; where these end nothing tells in use, and answers
    have all steps of the longest.

    With ``forcing``, losses are those of a decoder that is told the steps before, and answers those of one that goes by its own.
    Where each step of the training's targets has a single 1 among zeros, symbols, so have these answers.

    Attributes
    ----------
    network_ : its layers, whose arrays ``network_.arrays(index)`` gives by name.
    history_ : list of `Record`, one an epoch; the loss is per sample, summed over features of all steps.
    """

    kind = "sequence"
    building = BUILDING
    takes_targets = True

    @property
    def is_forced(self) -> bool:
        """Whether there is forcing."""
        return bool(value_of(self, "forcing"))

    def told(self, rows: Rows, prepared: Prepared, target: Any) -> Goal | None:
        """As of any unit; SettingError for weights of inputs that do not come back."""
        if target is not None and value_of(self, "emphasis") != EVEN:
            raise SettingError(
                "emphasis: expected none with targets, which are other numbers than the inputs; leave it out"
            )
        return super().told(rows, prepared, target)

    def layers(self, shape: SampleShape) -> Halves:
        """States up to the last one; that one at every step, states of it, and a dense layer over time."""
        sequence, n_hidden = sequence_of(shape), value_of(self, "n_hidden")
        sizes = value_of(self, "hidden_layers")
        encoder, below = [], sequence
        for size in sizes:
            encoder.append(self.states(below, size))
            below = encoder[-1].shape_out
        encoder.append(self.states(below, n_hidden, last=True))
        return Halves(tuple(encoder), tuple(self._decoder(n_hidden, sequence)))

    def _decoder(self, n_hidden: int, sequence: Shape) -> Iterator[Layer]:
        """From a code to what is to be answered, for sequences of a shape."""
        scaling = None if self.target_ is None else self.target_.scaling
        is_own, one_hot = scaling is None, self.target_ is not None and self.target_.one_hot
        _, steps, width = sequence if scaling is None else sequence_of(scaling.sample_shape)
        backwards = value_of(self, "reverse") and is_own
        layer: MapLayer = Upsampling.to(n_hidden, (1, steps))
        if self.is_forced:
            layer = Forcing.on(n_hidden, steps, width, backwards, one_hot)
        yield layer
        for size in value_of(self, "hidden_layers")[::-1] or (n_hidden,):
            layer = self.states(layer.shape_out, size, backwards=backwards, whole=not is_own)
            yield layer
        yield self.answers(layer.shape_out, width)
