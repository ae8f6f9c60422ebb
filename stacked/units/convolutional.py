"""Convolutional autoencoder (Masci et al. 2011): feature maps, pooled or not, and the transposed convolution back.

code              pool(f(b + x * W))
reconstruction    g(c + unpool(code) *' V), *' the transposed convolution, V = W if tied
"""

import numpy as np

from ..data import Rows
from ..errors import SettingError
from ..layers import Convolution, Layer, Pooling
from ..layers.base import SampleShape
from ..parameters import declared, value_of
from ..training.plan import Plan
from .chain import Halves
from .convolutional_parameters import BUILDING, ConvolutionalAutoencoderParameters
from .denoising import DenoisingUnit
from .map_shapes import map_of


@declared
class ConvolutionalAutoencoder(DenoisingUnit, ConvolutionalAutoencoderParameters):
    """Convolutional autoencoder, plain or denoising, alone or as a unit of a stack.

    Samples are maps: images (height, width) or (height, width, channels), signals (1, steps, channels). A code is a feature map
    (height, width, filters), which ``transform`` gives flat and ``feature_maps`` in its shape. With precision bfloat16 the products
    of convolutions stay float32: it is for dense units on top.

    Attributes
    ----------
    weight_ (kernel rows, kernel columns, channels, filters), hidden_bias_ (filters,), visible_bias_ (channels,) : the parameters.
    history_ : list of `Record`, one an epoch; the loss is per sample, summed over features.
    """

    kind = "convolutional"
    building = BUILDING

    @property
    def weight_(self) -> np.ndarray:
        """View (kernel rows, kernel columns, channels, filters) of the weights of the encoder."""
        return self.network_.weight(0)

    @property
    def hidden_bias_(self) -> np.ndarray:
        """View (filters,) of the biases of the feature maps."""
        return self.network_.bias(0)

    @property
    def visible_bias_(self) -> np.ndarray:
        """View (channels,) of the biases of the reconstruction."""
        return self.network_.bias(len(self.network_.layers) - 1)

    def validate(self) -> Plan:
        """Check every parameter and return the training plan; raises SettingError."""
        plan = super().validate()
        if value_of(self, "unpool") == "switches" and value_of(self, "pool") < 2:
            raise SettingError("unpool: switches has no effect without pooling; set pool too")
        return plan

    def shape_of(self, rows: Rows) -> SampleShape:
        """The shape that samples of training rows have: their own, or if they are flat that of ``sample_shape``, or of a signal."""
        asked = value_of(self, "sample_shape")
        maps = map_of(rows.sample_shape, asked)
        return asked or (maps if len(rows.sample_shape) == 1 else rows.sample_shape)

    def layers(self, shape: SampleShape) -> Halves:
        """A convolution, and pooling; the ways back in reverse order."""
        convolution = self._convolution(shape)
        encoder: list[Layer] = [convolution]
        decoder: list[Layer] = [convolution.mirror(self.output_activation, 0 if value_of(self, "tied") else None)]
        window = value_of(self, "pool")
        if window > 1:
            pooling = Pooling.on(convolution.shape_out, window)
            encoder.append(pooling)
            switches = value_of(self, "unpool") == "switches"
            decoder.insert(0, pooling.unpooling(1) if switches else pooling.upsampling())
        return Halves(tuple(encoder), tuple(decoder))

    def _convolution(self, shape: SampleShape) -> Convolution:
        filters, kernel, stride, padding = (
            value_of(self, name) for name in ("n_hidden", "kernel", "stride", "padding")
        )
        try:
            found = Convolution.on(
                map_of(shape, value_of(self, "sample_shape")),
                filters,
                kernel,
                stride,
                padding,
                self.code_activation,
            )
            found.check()
        except ValueError as error:
            if isinstance(error, SettingError):
                raise
            raise SettingError(f"kernel: {error}") from None
        return found
