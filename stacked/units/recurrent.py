"""Recurrent autoencoder: a code for each step of a sequence, from which the steps are made again.

    codes             h_t = cell(x_t, h_(t-1))
    reconstruction    g(c + s_t V), s_t = cell(h_t, s_(t-1))

The cells are those of `layers.recurrent`. Codes are sequences as long as those of the data, so that such units stack greedily
(Sagheer & Kotb 2019).
"""

from ..layers import GRU, LSTM, Convolution, Layer
from ..layers.base import SampleShape
from ..layers.maps import Shape
from ..layers.recurrent import Recurrent
from ..parameters import declared, value_of
from .chain import Halves
from .denoising import DenoisingUnit
from .map_shapes import sequence_of
from .recurrent_parameters import BUILDING, RecurrentAutoencoderParameters

_CELLS: dict[str, type[Recurrent]] = {"gru": GRU, "lstm": LSTM}


class RecurrentUnit(DenoisingUnit):
    """Base of the units with the parameters of `Recurring`; samples are sequences (steps, numbers), which may end early."""

    takes_sequences = True

    @property
    def code_activation(self) -> str:  # type: ignore[override]
        """States lie in the range of tanh."""
        return "tanh"

    def states(self, shape: Shape, n_hidden: int, **which: bool) -> Recurrent:
        """A layer of the unit's cells on sequences of a shape."""
        return _CELLS[value_of(self, "cell")].on(shape, n_hidden, **which)

    def answers(self, shape: Shape, width: int) -> Layer:
        """A dense layer over time, from states of a shape to reconstructions of ``width`` numbers a step."""
        return Convolution.on(shape, width, 1, activation=self.output_activation)


@declared
class RecurrentAutoencoder(RecurrentUnit, RecurrentAutoencoderParameters):
    """Recurrent autoencoder, plain or denoising, alone or as a unit of a stack: a code for each step.

    Samples are sequences (steps, numbers); flat rows are steps of one number, images are read row by row. Shorter ones end in
    steps of NaN, and so do then their codes (steps, n_hidden), which ``transform`` gives flat, and their reconstructions.

    Attributes
    ----------
    network_ : its layers, whose arrays ``network_.arrays(index)`` gives by name.
    history_ : list of `Record`, one an epoch; the loss is per sample, summed over features of all steps.
    """

    kind = "recurrent"
    building = BUILDING

    def layers(self, shape: SampleShape) -> Halves:
        """States of the data, states of these, and a dense layer over time."""
        sequence, n_hidden = sequence_of(shape), value_of(self, "n_hidden")
        encoder = self.states(sequence, n_hidden)
        decoder = self.states(encoder.shape_out, n_hidden)
        return Halves((encoder,), (decoder, self.answers(decoder.shape_out, sequence[2])))
