"""Sequence autoencoder: one code for a whole sequence, from which it is made again (Srivastava et al. 2015).

    code              h_T, the last of the states h_t = cell(x_t, h_(t-1))
    reconstruction    g(c + s_t V), s_t = cell(h_T, s_(t-1)) or, in reverse order, s_t = cell(h_T, s_(t+1))

What was read last is made again first: the steps beside each other are learned first, and lead to the others (Sutskever et al. 2014).
"""

from ..layers import Layer, Upsampling
from ..layers.base import SampleShape
from ..parameters import declared, value_of
from .chain import Halves
from .map_shapes import sequence_of
from .recurrent import RecurrentUnit
from .sequence_parameters import BUILDING, SequenceAutoencoderParameters


@declared
class SequenceAutoencoder(RecurrentUnit, SequenceAutoencoderParameters):
    """Sequence autoencoder, plain or denoising, alone or as the uppermost unit of a stack: one code for a sequence.

    Samples are sequences (steps, numbers); flat rows are steps of one number, images are read row by row. Shorter ones end in
    steps of NaN, and so do their reconstructions; the code is that of the last step that is there. Codes alone are decoded to as many
    steps as the longest sequence of the training had.

    Attributes
    ----------
    network_ : its layers, whose arrays ``network_.arrays(index)`` gives by name.
    history_ : list of `Record`, one an epoch; the loss is per sample, summed over features of all steps.
    """

    kind = "sequence"
    building = BUILDING

    def layers(self, shape: SampleShape) -> Halves:
        """States up to the last one; that one at every step, states of it, and a dense layer over time."""
        sequence, n_hidden = sequence_of(shape), value_of(self, "n_hidden")
        sizes = value_of(self, "hidden_layers")
        encoder, below = [], sequence
        for size in sizes:
            encoder.append(self.states(below, size))
            below = encoder[-1].shape_out
        encoder.append(self.states(below, n_hidden, last=True))
        decoder: list[Layer] = [Upsampling.to(n_hidden, sequence[:2])]
        below = decoder[0].shape_out
        for size in sizes[::-1] or (n_hidden,):
            decoder.append(self.states(below, size, backwards=value_of(self, "reverse")))
            below = decoder[-1].shape_out
        return Halves(tuple(encoder), (*decoder, self.answers(below, sequence[2])))
